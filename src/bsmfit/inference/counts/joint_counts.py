r"""What a joint test of several low counts needs, prepared at nodes of the nuisances.

Channels (or bins) $c$ with observed counts $n_c$ share one signal strength $\mu$. A
node $j$, of weight $w_j$, is one value of the nuisances that several terms share:

$$\lambda_{cj} = \mu s_{cj} + b_{cj},\qquad
  p_{cj}(k) = \sum_{m\le k}\mathrm{Pois}(m\,|\,\mu s_{cj})\, B_{cj}(k-m).$$

The background count is Poisson with mean $b_{cj}$, or has any other distribution
$B_{cj}$: a nuisance that moves only the background of one channel is averaged inside
it (`averaged_poisson_pmf`, or the exact `negative_binomial_pmf` of a sideband). A
nuisance that moves signal *and* background of one channel, or its signal alone, is to
be treated as shared, by nodes, although no other channel feels it.

Outcomes are ordered at *nominal* nuisances, by one of `ORDERINGS`:

- ``"likelihood-ratio"``: $Q = \sum_c n_c w_c$, $w_c = \ln(1 + \mu s_c/b_c)$;
- ``"qtilde"``: minus the profile likelihood ratio with $0\le\hat\mu\le\mu$;
- ``"sum"``: $Q = \sum_c n_c$.

Data flow: rates -> `JointCounts` -> `count_terms`, `event_weights` -> `enumeration` or
`convolution` -> `joint_limit`. Everything is one point of a map; callers `vmap`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from bsmfit._x64 import require_x64
from bsmfit.errors import InputError, UnknownNameError

__all__ = [
    "LARGEST_JOINT_COUNT",
    "ORDERINGS",
    "SMALLEST_BACKGROUND",
    "TIE_TOLERANCE",
    "CountTerms",
    "JointCounts",
    "MergedChannels",
    "averaged_poisson_pmf",
    "count_probabilities_at",
    "count_terms",
    "event_weights",
    "largest_rate",
    "merge_equal_channels",
    "negative_binomial_pmf",
]

ORDERINGS = ("likelihood-ratio", "qtilde", "sum")
# Outcomes closer than this in Q count as tied
TIE_TOLERANCE = 1e-9
# Floor of the background in the ordering alone (ln(1 + s/0) is no number)
SMALLEST_BACKGROUND = 1e-10
LARGEST_JOINT_COUNT = 300
"""Largest count that is enumerated per channel: the terms of two stay finite."""


class CountTerms(NamedTuple):
    r"""Probabilities of counts without their common factor $e^{-rate}$.

    Attributes:
        terms: $p_{cj}(k)\,e^{rate_{cj}}$.
        rate: The Poisson means that were taken out.
    """

    terms: Float[Array, "n_channel n_count n_node"]
    rate: Float[Array, "n_channel n_node"]


class MergedChannels(NamedTuple):
    """Channels of equal signal over background, merged.

    Attributes:
        signal: Signal events.
        background: Background events.
        n_observed: Observed events.
        groups: Which of the given channels each one consists of.
    """

    signal: np.ndarray
    background: np.ndarray
    n_observed: np.ndarray
    groups: tuple[tuple[int, ...], ...]


class JointCounts(eqx.Module):
    r"""Several counts and one signal strength, at the nodes of shared nuisances.

    Attributes:
        n_observed: Observed events.
        nominal_signal: Signal at strength 1 and nominal nuisances [events], >= 0.
        nominal_background: Background at nominal nuisances [events]; below
            SMALLEST_BACKGROUND that floor is used for the ordering.
        node_weights: Weights of the nodes, of sum 1.
        signal: Signal at strength 1 at each node [events].
        background: Poisson mean of the background at each node [events]; not read
            where `background_terms` are given.
        background_terms: Probability of k background events, private nuisances
            averaged over; None for a Poisson background.
        n_max: Largest count that is enumerated per channel, 1 to 300.
    """

    n_observed: Int[Array, " n_channel"]
    nominal_signal: Float[Array, " n_channel"]
    nominal_background: Float[Array, " n_channel"]
    node_weights: Float[Array, " n_node"]
    signal: Float[Array, "n_channel n_node"]
    background: Float[Array, "n_channel n_node"]
    background_terms: Float[Array, "n_channel n_count n_node"] | None = None
    n_max: int = eqx.field(static=True, default=12)

    def __check_init__(self) -> None:
        if not 1 <= self.n_max <= LARGEST_JOINT_COUNT:
            msg = f"n_max = {self.n_max} is not between 1 and {LARGEST_JOINT_COUNT}"
            raise InputError(msg)
        # transformations rebuild modules with placeholders that have no shape
        shape = getattr(self.background_terms, "shape", None)
        if shape is not None and len(shape) == 3 and shape[1] != self.n_max + 1:
            msg = (
                f"background_terms has {shape[1]} counts, but n_max = {self.n_max} "
                f"needs {self.n_max + 1}"
            )
            raise InputError(msg)

    @classmethod
    def from_known(
        cls,
        signal: Float[Array, " n_channel"],
        background: Float[Array, " n_channel"],
        *,
        n_observed: Int[Array, " n_channel"],
        n_max: int = 12,
    ) -> JointCounts:
        """Counts without nuisances.

        Args:
            signal: Signal at strength 1 [events], >= 0.
            background: Background [events], >= 0.
            n_observed: Observed events.
            n_max: Largest count that is enumerated per channel.

        Returns:
            The counts, with one node.
        """
        return cls(
            n_observed=n_observed,
            nominal_signal=signal,
            nominal_background=background,
            node_weights=jnp.ones(1, signal.dtype),
            signal=signal[:, None],
            background=background[:, None],
            n_max=n_max,
        )

    @classmethod
    def from_log_kappa(
        cls,
        signal: Float[Array, " n_channel"],
        background: Float[Array, " n_channel"],
        *,
        n_observed: Int[Array, " n_channel"],
        signal_log_kappa: Float[Array, "n_channel n_nuisance"],
        background_log_kappa: Float[Array, "n_channel n_nuisance"],
        nodes: Float[Array, "n_node n_nuisance"],
        node_weights: Float[Array, " n_node"],
        background_terms: Float[Array, "n_channel n_count n_node"] | None = None,
        n_max: int = 12,
    ) -> JointCounts:
        r"""Counts with shared log-normal nuisances, $s_{cj} = s_c e^{K_c\theta_j}$.

        Args:
            signal: Nominal signal at strength 1 [events], >= 0.
            background: Nominal background [events], >= 0.
            n_observed: Observed events.
            signal_log_kappa: ln kappa of the signal for each shared nuisance.
            background_log_kappa: ln kappa of the background.
            nodes: Values of the nuisances, unit normal.
            node_weights: Weights of the nodes, of sum 1.
            background_terms: Probabilities of the background counts where they are
                not Poisson; `background_log_kappa` is not read then.
            n_max: Largest count that is enumerated per channel.

        Returns:
            The counts.
        """
        return cls(
            n_observed=n_observed,
            nominal_signal=signal,
            nominal_background=background,
            node_weights=node_weights,
            signal=signal[:, None] * jnp.exp(signal_log_kappa @ nodes.T),
            background=background[:, None] * jnp.exp(background_log_kappa @ nodes.T),
            background_terms=background_terms,
            n_max=n_max,
        )


def event_weights(
    counts: JointCounts, strength: Float[Array, ""], *, ordering: str
) -> Float[Array, " n_channel"]:
    r"""Weight of one event in $Q = \sum_c n_c w_c$, for the orderings that are sums.

    Args:
        counts: The counts.
        strength: Tested signal strength [1], >= 0.
        ordering: ``"likelihood-ratio"`` or ``"sum"``.

    Returns:
        $\ln(1 + \mu s_c/b_c)$ at nominal nuisances, or ones.
    """
    if ordering == "sum":
        return jnp.ones_like(counts.nominal_signal)
    if ordering != "likelihood-ratio":
        kind = "ordering by event weights"
        raise UnknownNameError.from_choices(kind, ordering, ("likelihood-ratio", "sum"))
    background = jnp.maximum(counts.nominal_background, SMALLEST_BACKGROUND)
    return jnp.log1p(strength * counts.nominal_signal / background)


def count_terms(counts: JointCounts, strength: Float[Array, ""]) -> CountTerms:
    """Probabilities of 0 to n_max events per channel and node, over exp(-rate).

    Finite for rates beyond all bounds: the polynomial stops growing where its product
    over the channels would overflow, and the factor left out makes up for it.

    Args:
        counts: The counts.
        strength: Signal strength [1], >= 0.

    Returns:
        Terms and rates.
    """
    require_x64("count_terms")
    signal = strength * counts.signal
    rate = signal if counts.background_terms is not None else signal + counts.background
    largest = largest_rate(counts.signal.shape[0], n_max=counts.n_max)
    terms = _poisson_terms(jnp.minimum(rate, largest), counts.n_max)
    if counts.background_terms is None:
        return CountTerms(terms, rate)
    n = np.arange(counts.n_max + 1)
    difference = n[:, None] - n[None, :]
    shifted = counts.background_terms[:, np.maximum(difference, 0)]
    shifted = jnp.where(jnp.asarray(difference >= 0)[None, :, :, None], shifted, 0.0)
    return CountTerms(jnp.sum(shifted * terms[:, None], axis=2), rate)


def largest_rate(n_channel: int, *, n_max: int) -> float:
    """Rate up to which `count_terms` are right; 75 at least where enumeration can be.

    Args:
        n_channel: Number of channels.
        n_max: Largest count.

    Returns:
        Largest rate [events].
    """
    return max(10.0 ** min(140.0 / (n_channel * n_max), 140.0), 300.0 / n_channel)


def count_probabilities_at(
    counts: JointCounts, strength: Float[Array, ""]
) -> Float[Array, "n_channel n_count n_node"]:
    """Probability of 0 to n_max events in each channel, given each node.

    Args:
        counts: The counts.
        strength: Signal strength [1], >= 0.

    Returns:
        Probabilities; their sum over the counts falls short of 1 by the tail.
    """
    terms, rate = count_terms(counts, strength)
    return terms * jnp.exp(-rate)[:, None, :]


def _poisson_terms(
    rate: Float[Array, "n_channel n_node"], n_max: int
) -> Float[Array, "n_channel n_count n_node"]:
    """rate**k / k! for k = 0 to n_max, doubling the number of terms in each step."""
    terms = jnp.ones_like(rate)[:, None, :]
    while (n := terms.shape[1]) <= n_max:
        next_term = terms[:, -1:] * rate[:, None, :] / n
        # i! n! / (i + n)!
        scale = np.array([1.0 / math.comb(i + n, n) for i in range(n)])
        scaled = terms * jnp.asarray(scale, rate.dtype)[None, :, None]
        terms = jnp.concatenate([terms, scaled * next_term], axis=1)
    return terms[:, : n_max + 1]


def averaged_poisson_pmf(
    rates: Float[Array, "n_inner n_node"],
    inner_weights: Float[Array, " n_inner"],
    *,
    n_max: int,
) -> Float[Array, "n_count n_node"]:
    r"""Poisson probabilities averaged over private nuisances, $E_i[\mathrm{Pois}(k)]$.

    Args:
        rates: Background at each inner node, given each shared node [events], <= 700.
        inner_weights: Weights of the inner nodes, of sum 1.
        n_max: Largest count.

    Returns:
        Probability of 0 to n_max events: one channel of `background_terms`.
    """
    term = jnp.exp(-rates)
    rows = [inner_weights @ term]
    for k in range(1, n_max + 1):
        term = term * rates / k
        rows.append(inner_weights @ term)
    return jnp.stack(rows)


def negative_binomial_pmf(
    r: Float[Array, ""], tau: Float[Array, ""], *, n_max: int
) -> Float[Array, " n_count"]:
    r"""Probability of k events when the Poisson mean is gamma distributed, exactly.

    $$P(k) = \frac{\Gamma(k+r)}{k!\,\Gamma(r)}
      \Big(\frac{\tau}{1+\tau}\Big)^r \frac{1}{(1+\tau)^k}$$

    A sideband with m events and a prior flat in b: r = m + 1, tau = exposure of the
    sideband over that of the signal region. By moments: $r = (b/\sigma)^2$, $\tau =
    b/\sigma^2$.

    Args:
        r: Shape of the gamma distribution [1], > 0.
        tau: Its rate [1/event], > 0.
        n_max: Largest count.

    Returns:
        Probability of 0 to n_max events.

    Examples:
        >>> import jax.numpy as jnp
        >>> pmf = negative_binomial_pmf(jnp.array(1.0), jnp.array(1.0), n_max=2)
        >>> [round(float(p), 6) for p in pmf]
        [0.5, 0.25, 0.125]
    """
    term = jnp.exp(-r * jnp.log1p(1.0 / tau))
    terms = [term]
    for k in range(1, n_max + 1):
        term = term * (r + (k - 1)) / (k * (1.0 + tau))
        terms.append(term)
    return jnp.stack(terms)


def merge_equal_channels(
    signal: np.ndarray,
    background: np.ndarray,
    *,
    n_observed: np.ndarray,
    log_kappa: np.ndarray | None = None,
) -> MergedChannels:
    """Merge channels of equal signal over background, which loses no information.

    For concrete values, before tracing: the number of channels depends on them. The
    likelihood-ratio orderings are unchanged by it and an enumeration is far shorter.

    Args:
        signal: Signal [events].
        background: Background [events], > 0.
        n_observed: Observed events.
        log_kappa: Responses, one row per channel; only equal rows are merged.

    Returns:
        The merged channels, in the order in which each first appears.
    """
    given = [np.asarray(x, dtype=float) for x in (signal, background)]
    if given[0].ndim != 1 or given[0].shape != given[1].shape:
        msg = (
            "signal and background must be lists of one length, not of shapes "
            f"{given[0].shape} and {given[1].shape}"
        )
        raise InputError(msg)
    if not np.all(given[1] > 0.0):
        msg = f"background = {given[1].tolist()} must be > 0 to merge channels"
        raise InputError(msg)
    ratio = given[0] / given[1]
    responses = np.zeros((ratio.size, 0)) if log_kappa is None else log_kappa
    groups: list[list[int]] = []
    for channel in range(ratio.size):
        for group in groups:
            is_equal = np.isclose(ratio[group[0]], ratio[channel], rtol=1e-12, atol=0.0)
            if is_equal and np.array_equal(responses[group[0]], responses[channel]):
                group.append(channel)
                break
        else:
            groups.append([channel])
    observed = np.asarray(n_observed)
    return MergedChannels(
        signal=np.array([given[0][group].sum() for group in groups]),
        background=np.array([given[1][group].sum() for group in groups]),
        n_observed=np.array([observed[group].sum() for group in groups]),
        groups=tuple(tuple(group) for group in groups),
    )
