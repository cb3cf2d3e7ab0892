"""Two photons of one particle in the calorimeter of a spectrometer.

No track, no magnet: both photons go straight to the calorimeter, outside its hole, each
with a lowest energy, and apart from each other. It is the acceptance of the photons of
neutral pions in `bsmfit.detector.charged_pair_acceptance`.
"""

from __future__ import annotations

import equinox as eqx
from jaxtyping import Array, Bool, Float

from bsmfit.detector.charged_pair_acceptance import PhotonCuts, are_photons_accepted
from bsmfit.detector.spectrometer import Spectrometer

__all__ = ["PhotonPairDetector"]


class PhotonPairDetector(eqx.Module):
    """Calorimeter and cuts that two photons have to pass.

    Attributes:
        spectrometer: Where the dump and the calorimeter are.
        cuts: Lowest energy and smallest distance.
    """

    spectrometer: Spectrometer
    cuts: PhotonCuts

    @property
    def impact_point(self) -> Float[Array, " 3"]:
        """Where the beam hits the dump, (x, y, z) [m]."""
        return self.spectrometer.impact_point

    @property
    def lowest_momentum(self) -> float:
        """Lowest momentum of a particle whose decay can be accepted [GeV].

        The energy is at least that of two photons; a heavy particle may be slower, and
        is left out.
        """
        return 2.0 * float(self.cuts.energy_min)

    def accepts_pair(
        self,
        vertex: Float[Array, "n 3"],
        momenta: tuple[Float[Array, "n 3"], Float[Array, "n 3"]],
    ) -> Bool[Array, " n"]:
        """Whether both photons are measured.

        Args:
            vertex: Decay points (x, y, z) [m].
            momenta: Momenta of the photons [GeV].

        Returns:
            As `are_photons_accepted`.
        """
        return are_photons_accepted(
            vertex, momenta, cuts=self.cuts, spectrometer=self.spectrometer
        )
