"""Parting an image in two by what each pixel's colour and place say, with a line that follows the image's edges."""

import cv2
import numpy as np

from workflows.engines.palette import Bytes, Floats, lab

_BINS = 32
_MOST = 8.0  # nats that a pixel's own evidence may say


def colors_of(small: Bytes) -> Floats:
    """Return each pixel's bin of L*a*b* colour, shape (h, w)."""
    bins = np.clip((lab(small) + np.array([0, 96, 96])) * [_BINS / 100.01, _BINS / 192, _BINS / 192], 0, _BINS - 1)
    return np.asarray(bins.astype(np.int32) @ np.array([_BINS * _BINS, _BINS, 1], np.int32))


def likelihood(bins: Floats, weights: Floats) -> Floats:
    """Return how likely each bin of colour is among those of the weighted pixels, shape (n,): a smooth histogram."""
    counts: Floats = (
        np.bincount(bins.ravel(), weights.ravel(), _BINS**3).astype(np.float32).reshape(_BINS, _BINS, _BINS)
    )
    for axis in range(3):
        moved = np.ascontiguousarray(np.moveaxis(counts, axis, 0)).reshape(_BINS, -1)
        smooth = cv2.GaussianBlur(moved, (1, 5), 0, sigmaY=0.8, borderType=cv2.BORDER_REPLICATE)
        counts = np.moveaxis(smooth.reshape(_BINS, _BINS, _BINS), 0, axis)
    return counts.reshape(-1) / max(float(counts.sum()), 1e-6)


def cut(small: Bytes, evidence: Floats, *, smoothness: float = 7.0) -> Bytes:
    """Return 1 where the evidence (nats, above 0 for it) and the edges say so, else 0, shape (h, w).

    The minimum cut of a graph of pixels (Boykov and Jolly 2001). OpenCV's solver of it is inside GrabCut alone: it is
    given the evidence as a colour, with frozen colour models that make of that colour the evidence again.
    """
    scale = 50 / smoothness  # GrabCut's own weight of smoothness is 50
    planes = lab(cv2.GaussianBlur(small, (3, 3), 0)).reshape(-1, 3)
    _, _, axes = np.linalg.svd(np.cov((planes - planes.mean(axis=0)).T))
    edges = 2.5 * (planes - planes.mean(axis=0)) @ axes[:2].T + 128
    said = (np.clip(evidence, -_MOST, _MOST) / _MOST + 1) * 127.5
    image = np.dstack([said, *np.moveaxis(edges.reshape(*evidence.shape, 2), -1, 0)])
    models = []
    for mean in (0.0, 255.0):
        model = np.zeros(65)
        model[0] = 1  # one Gaussian of five has all the weight
        model[5:8] = mean, 128, 128
        for index in range(5):
            model[20 + 9 * index : 29 + 9 * index] = np.diag([255**2 / (2 * _MOST * scale), 1e6, 1e6]).ravel()
        models.append(model[None])
    labels = np.where(evidence > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[evidence >= 50], labels[evidence <= -50] = cv2.GC_FGD, cv2.GC_BGD
    cv2.grabCut(np.clip(np.rint(image), 0, 255).astype(np.uint8), labels, (0, 0, 0, 0), models[0], models[1], 1,
                cv2.GC_EVAL_FREEZE_MODEL)  # fmt: skip
    return np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
