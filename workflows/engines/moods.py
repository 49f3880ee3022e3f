"""What a client's mood words mean for light and colour."""

from dataclasses import dataclass

from workflows.engines import words


@dataclass(frozen=True)
class Mood:
    """How a set is lit, and the colours it has when the client asks for none.

    `azimuth` is where the key light stands, in degrees from the camera to the right (negative: left), `elevation`
    its height in degrees, `softness` 0 (a spot) to 1 (a huge softbox), `warmth` −1 (cool) to 1 (warm), `contrast`
    the key's share of the light, 0 to 1, `saturation` multiplies the palette's chroma, `vignette` 0 to 1.
    """

    synonyms: tuple[str, ...]
    palette: tuple[str, ...]
    azimuth: float = -40
    elevation: float = 50
    softness: float = 0.7
    warmth: float = 0.0
    contrast: float = 0.55
    saturation: float = 1.0
    vignette: float = 0.15


DEFAULT = "clean"
MOODS = {
    "clean": Mood(("pure", "crisp", "neutral", "simple", "professional", "catalog", "catalogue", "white"),
                  ("#e9e8e5", "#f3f2f0", "#d8d6d1"), softness=0.9, contrast=0.45, vignette=0.08),
    "minimal": Mood(("minimalist", "minimalistic", "scandinavian", "scandi", "nordic", "zen", "japandi"),
                    ("#e3ddd3", "#efebe4", "#cfc6b8"), softness=0.85, saturation=0.85, contrast=0.5),
    "bright": Mood(("light", "airy", "high key", "luminous", "sunlit", "radiant"),
                   ("#f1eee8", "#f7f5f1", "#e3ddd2"), elevation=60, softness=0.9, contrast=0.4, vignette=0.04),
    "calm": Mood(("serene", "peaceful", "tranquil", "quiet", "relaxed", "spa", "soothing"),
                 ("#c9d2cc", "#dfe3dc", "#aebbb4"), softness=1.0, contrast=0.42, saturation=0.85, warmth=-0.05),
    "soft": Mood(("gentle", "delicate", "tender", "pastel", "dreamy"),
                 ("#ecdcd6", "#f4eae5", "#d9c6cf"), softness=1.0, contrast=0.38, saturation=0.9, warmth=0.15),
    "warm": Mood(("sunny", "golden", "honey", "mediterranean", "summer", "summery"),
                 ("#e3c6a0", "#efdcc1", "#c99a6b"), warmth=0.7, softness=0.5, contrast=0.62, elevation=40),
    "cozy": Mood(("cosy", "homely", "hygge", "comfortable", "autumn", "autumnal", "fall"),
                 ("#c8a27e", "#dcc3a4", "#95603f"), warmth=0.6, softness=0.75, contrast=0.55, elevation=35,
                 vignette=0.3),
    "cool": Mood(("cold", "icy", "winter", "wintry", "frosty", "clinical", "arctic"),
                 ("#c6d3de", "#dde6ec", "#9fb3c4"), warmth=-0.7, softness=0.7),
    "fresh": Mood(("spring", "crisp green", "clean green", "botanical", "healthy", "vital"),
                  ("#cfe0c6", "#e8efdf", "#9dbd8f"), elevation=55, softness=0.6, saturation=1.05, warmth=-0.1),
    "natural": Mood(("organic", "earthy", "rustic", "eco", "raw", "daylight"),
                    ("#cdbfa8", "#ded3c0", "#9a8a6d"), warmth=0.25, softness=0.55, azimuth=-60, elevation=42),
    "dramatic": Mood(("intense", "bold", "striking", "cinematic", "contrasty", "theatrical", "noir"),
                     ("#5b5550", "#6d6660", "#37332f"), azimuth=-70, elevation=38, softness=0.25, contrast=0.85,
                     vignette=0.5),
    "moody": Mood(("dark", "low key", "mysterious", "nocturnal", "night", "brooding", "gothic"),
                  ("#3d4044", "#4a4d51", "#25282c"), azimuth=-75, elevation=40, softness=0.5, contrast=0.75,
                  vignette=0.55, saturation=0.9),
    "luxury": Mood(("luxurious", "premium", "opulent", "rich", "exclusive", "glamorous", "jewelry"),
                   ("#2f3a34", "#3c4841", "#a8854f"), azimuth=-55, elevation=45, softness=0.45, contrast=0.72,
                   warmth=0.3, vignette=0.4),
    "elegant": Mood(("refined", "sophisticated", "classy", "timeless", "chic"),
                    ("#c7bcb2", "#d9d0c7", "#8d7f74"), softness=0.7, contrast=0.58, warmth=0.1, vignette=0.22),
    "romantic": Mood(("feminine", "love", "valentine", "wedding", "bridal", "floral"),
                     ("#e6c3c0", "#f1dcd8", "#c98f92"), warmth=0.3, softness=0.9, contrast=0.45),
    "playful": Mood(("fun", "cheerful", "happy", "joyful", "kids", "pop", "whimsical"),
                    ("#f4b8a0", "#ffd98a", "#7fc4c0", "#e5819a"), softness=0.45, contrast=0.6, saturation=1.15,
                    elevation=48),
    "energetic": Mood(("vibrant", "dynamic", "sporty", "vivid", "electric", "active", "neon"),
                      ("#f0653a", "#f7a234", "#2f6fd6"), softness=0.25, contrast=0.7, saturation=1.25, azimuth=45),
    "vintage": Mood(("retro", "nostalgic", "old", "antique", "classic", "seventies"),
                    ("#c9ad7f", "#ddc9a3", "#8b5e45"), warmth=0.45, saturation=0.8, vignette=0.4, contrast=0.55),
    "festive": Mood(("christmas", "holiday", "celebration", "party", "xmas"),
                    ("#8c2430", "#a1323d", "#1f4a38", "#c9a04e"), warmth=0.35, softness=0.5, contrast=0.68,
                    vignette=0.35),
    "modern": Mood(("contemporary", "urban", "industrial", "tech", "futuristic", "sleek"),
                   ("#b9bcbf", "#cdcfd1", "#7d8389"), warmth=-0.2, softness=0.45, contrast=0.65, azimuth=50),
    "sunset": Mood(("golden hour", "dusk", "evening", "sunrise", "dawn"),
                   ("#e8a87c", "#f0c3a0", "#b0647a"), warmth=0.95, softness=0.2, contrast=0.75, elevation=24,
                   azimuth=-60, vignette=0.25),
    "tropical": Mood(("exotic", "beach", "holiday resort", "ocean", "seaside"),
                     ("#bfe0d8", "#f2e2c2", "#4fa79a"), warmth=0.2, softness=0.25, contrast=0.65, elevation=58,
                     saturation=1.1),
}  # fmt: skip


def understand(text: str) -> tuple[list[str], Mood]:
    """Return the names of the moods that `text` mentions, and one mood of them all.

    Of several, the numbers are averaged and the first one's palette is taken; of none, it is the default mood and
    the list is empty.
    """
    found = words.find(text, {name: mood.synonyms for name, mood in MOODS.items()})
    moods = [MOODS[name] for name in found] or [MOODS[DEFAULT]]

    def mean(attribute: str) -> float:
        return float(sum(getattr(mood, attribute) for mood in moods) / len(moods))

    return found, Mood(
        synonyms=(),
        palette=moods[0].palette,
        azimuth=mean("azimuth"),
        elevation=mean("elevation"),
        softness=mean("softness"),
        warmth=mean("warmth"),
        contrast=mean("contrast"),
        saturation=mean("saturation"),
        vignette=mean("vignette"),
    )
