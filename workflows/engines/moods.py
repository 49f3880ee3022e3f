"""What a client's mood words mean for light and colour."""

import re
from dataclasses import dataclass, replace

from workflows.engines import words


@dataclass(frozen=True)
class Mood:
    """How a set is lit, and the colours it has when the client asks for none.

    `azimuth` is where the key light stands, in degrees from the camera to the right (negative: left), `elevation`
    its height in degrees, `softness` 0 (a spot) to 1 (a huge softbox), `spot` how much narrower its beam is than the
    set, `warmth` −1 (cool) to 1 (warm), `contrast` the key's share of the light, 0 to 1, `key` the share of each
    surface that is darker than its colour (high key: little), `saturation` multiplies the palette's chroma,
    `vignette` 0 to 1.
    """

    synonyms: tuple[str, ...]
    palette: tuple[str, ...]
    azimuth: float = -40
    elevation: float = 50
    softness: float = 0.7
    spot: float = 0.0
    warmth: float = 0.0
    contrast: float = 0.55
    key: float = 0.5
    saturation: float = 1.0
    vignette: float = 0.1


DEFAULT = "clean"
MOODS = {
    "clean": Mood(("pure", "crisp", "neutral", "simple", "professional", "catalog", "catalogue", "white", "tidy"),
                  ("#e9e8e5", "#f3f2f0", "#d8d6d1"), softness=0.9, contrast=0.45, vignette=0.04),
    "minimal": Mood(("minimalist", "minimalistic", "scandinavian", "scandi", "nordic", "zen", "japandi", "uncluttered"),
                    ("#ded7cb", "#ece7de", "#c9beae"), azimuth=-60, elevation=40, softness=0.5, contrast=0.6,
                    saturation=0.7),
    "bright": Mood(("light", "high key", "luminous", "radiant", "brilliant", "well lit"),
                   ("#f1eee8", "#f7f5f1", "#e3ddd2"), elevation=62, softness=0.7, contrast=0.45, key=0.3,
                   saturation=1.05, vignette=0.0),
    "airy": Mood(("ethereal", "breezy", "weightless", "lightweight", "spacious"),
                 ("#eef2f2", "#f8f9f8", "#dfe7ea"), elevation=65, softness=1.0, contrast=0.3, key=0.2, warmth=-0.1,
                 saturation=0.75, vignette=0.0),
    "calm": Mood(("serene", "peaceful", "tranquil", "quiet", "relaxed", "relaxing", "spa", "soothing", "meditative"),
                 ("#c3cec7", "#dbe1d9", "#a7b6ae"), azimuth=-30, softness=1.0, contrast=0.36, saturation=0.75,
                 warmth=-0.1),
    "soft": Mood(("gentle", "delicate", "tender", "soft light", "diffused", "subtle"),
                 ("#e9d9d1", "#f3e9e3", "#d6c3bc"), azimuth=-25, softness=1.0, contrast=0.3, key=0.4, saturation=0.85,
                 warmth=0.1),
    "pastel": Mood(("candy", "baby", "sorbet", "macaron", "sugary"),
                   ("#f3d3d8", "#d8e8f0", "#e4dcf2", "#f8eecb"), softness=0.9, contrast=0.4, key=0.35, saturation=0.9,
                   vignette=0.0),
    "dreamy": Mood(("dreamlike", "magical", "fairytale", "whimsical", "surreal", "hazy"),
                   ("#d6cbe8", "#efdbe5", "#c2cfec"), azimuth=35, elevation=35, softness=1.0, contrast=0.42, key=0.35,
                   warmth=0.2, vignette=0.15),
    "warm": Mood(("warm light", "honeyed", "mediterranean", "glowing", "inviting", "toasty"),
                 ("#e3c6a0", "#efdcc1", "#c99a6b"), elevation=40, softness=0.5, contrast=0.62, warmth=0.75),
    "sunny": Mood(("sun", "sunlit", "sunshine", "summer", "summery", "sun drenched", "midday"),
                  ("#f4deae", "#fbf0d8", "#e9b560"), azimuth=-50, elevation=46, softness=0.05, contrast=0.74, key=0.4,
                  warmth=0.45, saturation=1.12, vignette=0.0),
    "golden hour": Mood(("golden", "golden light", "sunrise", "dawn", "late afternoon", "low sun"),
                        ("#e6b672", "#f2d2a0", "#b8743c"), azimuth=-64, elevation=15, softness=0.1, contrast=0.8,
                        key=0.6, warmth=1.0, saturation=1.1, vignette=0.2),
    "sunset": Mood(("dusk", "evening", "twilight", "afterglow"),
                   ("#e58d78", "#f2b394", "#8f5577"), azimuth=62, elevation=14, softness=0.3, contrast=0.74, key=0.65,
                   warmth=0.85, saturation=1.08, vignette=0.35),
    "cozy": Mood(("cosy", "homely", "hygge", "comfortable", "snug", "fireside"),
                 ("#c39a74", "#dac0a0", "#8f5a3a"), elevation=30, softness=0.6, spot=0.4, contrast=0.66, key=0.65,
                 warmth=0.7, vignette=0.35),
    "autumn": Mood(("autumnal", "fall", "harvest", "october", "thanksgiving"),
                   ("#b26d3a", "#d39b5a", "#75402a", "#87793c"), azimuth=-62, elevation=26, softness=0.4,
                   contrast=0.66, key=0.6, warmth=0.5, vignette=0.25),
    "candlelit": Mood(("candlelight", "candle", "dim", "lamplight", "firelight"),
                      ("#77502f", "#946542", "#432c20"), azimuth=-50, elevation=20, softness=0.5, spot=0.8,
                      contrast=0.85, key=0.8, warmth=1.0, vignette=0.5),
    "cool": Mood(("cold", "clinical", "cool light", "chilly", "crystal"),
                 ("#bccbd9", "#d7e2ea", "#93aabf"), softness=0.7, contrast=0.52, warmth=-0.85),
    "winter": Mood(("wintry", "icy", "frosty", "arctic", "snowy", "snow", "ice"),
                   ("#dbe6ee", "#f0f5f8", "#aec4d6"), azimuth=-65, elevation=22, softness=0.35, contrast=0.56, key=0.35,
                   warmth=-0.65, saturation=0.85, vignette=0.0),
    "fresh": Mood(("spring", "crisp green", "clean green", "healthy", "vital", "dewy", "morning"),
                  ("#cde2c2", "#e9f1df", "#98bf88"), azimuth=-50, elevation=58, softness=0.3, contrast=0.6, key=0.35,
                  warmth=-0.15, saturation=1.12, vignette=0.0),
    "natural": Mood(("organic", "eco", "raw", "daylight", "natural light", "authentic"),
                    ("#cdc1ac", "#e0d7c7", "#9a8c72"), azimuth=-72, elevation=35, softness=0.45, contrast=0.64,
                    warmth=0.15),
    "earthy": Mood(("rustic", "earth", "grounded", "rugged", "farmhouse", "desert"),
                   ("#a9805f", "#c6a583", "#6d5642"), azimuth=-55, elevation=35, softness=0.45, contrast=0.64, key=0.6,
                   warmth=0.35, saturation=0.9, vignette=0.25),
    "overcast": Mood(("cloudy", "gray", "grey", "misty", "foggy", "rainy", "shadowless", "flat light"),
                     ("#c1c6c9", "#d6dadb", "#979ea2"), azimuth=-15, elevation=78, softness=1.0, contrast=0.22,
                     warmth=-0.3, saturation=0.65, vignette=0.0),
    "dramatic": Mood(("intense", "cinematic", "theatrical", "noir", "chiaroscuro", "spotlit", "spotlight"),
                     ("#5f5852", "#746c65", "#332f2c"), azimuth=-70, elevation=32, softness=0.12, spot=1.0,
                     contrast=0.92, key=0.85, vignette=0.5),
    "bold": Mood(("striking", "contrasty", "high contrast", "hard light", "graphic", "punchy", "loud"),
                 ("#dd4430", "#f2b61f", "#23439a"), azimuth=50, elevation=44, softness=0.02, contrast=0.84,
                 saturation=1.25, vignette=0.0),
    "moody": Mood(("dark", "low key", "mysterious", "brooding", "gothic", "gloomy", "melancholic", "somber"),
                  ("#42464b", "#51555a", "#26292d"), azimuth=-66, elevation=28, softness=0.6, spot=0.7, contrast=0.8,
                  key=0.8, warmth=-0.2, saturation=0.8, vignette=0.5),
    "night": Mood(("nocturnal", "moonlight", "moonlit", "midnight"),
                  ("#22304e", "#2e4066", "#121a2c"), azimuth=58, elevation=42, softness=0.3, spot=0.9, contrast=0.86,
                  key=0.85, warmth=-0.9, saturation=0.9, vignette=0.6),
    "luxury": Mood(("luxurious", "premium", "opulent", "rich", "exclusive", "glamorous", "jewelry", "lavish"),
                   ("#2d3a33", "#3d4b43", "#ab8750"), azimuth=-55, elevation=38, softness=0.3, spot=0.7, contrast=0.8,
                   key=0.7, warmth=0.35, vignette=0.45),
    "elegant": Mood(("refined", "sophisticated", "classy", "timeless", "chic", "polished"),
                    ("#c2b6ac", "#d8cfc6", "#877a70"), azimuth=-55, elevation=40, softness=0.75, spot=0.4, contrast=0.6,
                    key=0.58, warmth=0.15, saturation=0.9, vignette=0.25),
    "romantic": Mood(("feminine", "love", "lovely", "valentine", "wedding", "bridal", "floral"),
                     ("#e4bdbc", "#f2dcda", "#c68a90"), azimuth=30, elevation=38, softness=0.9, spot=0.3, contrast=0.48,
                     key=0.45, warmth=0.4),
    "playful": Mood(("fun", "cheerful", "happy", "joyful", "kids", "pop", "quirky"),
                    ("#f4b09a", "#ffd784", "#77c4c0", "#e5789a"), azimuth=40, elevation=52, softness=0.2,
                    contrast=0.6, key=0.4, saturation=1.2, vignette=0.0),
    "energetic": Mood(("vibrant", "dynamic", "sporty", "vivid", "electric", "active", "powerful"),
                      ("#ee5f32", "#f7a22f", "#2d6cd6"), azimuth=60, elevation=34, softness=0.05, contrast=0.78,
                      key=0.48, saturation=1.35, vignette=0.0),
    "vintage": Mood(("retro", "nostalgic", "old", "antique", "classic", "seventies", "faded"),
                    ("#c4a878", "#dac79f", "#855a42"), softness=0.6, contrast=0.5, key=0.6, warmth=0.6, saturation=0.65,
                    vignette=0.55),
    "festive": Mood(("christmas", "holiday", "celebration", "celebratory", "party", "xmas"),
                    ("#8a222f", "#a5303c", "#1d4937", "#cba14d"), elevation=40, softness=0.35, spot=0.6, contrast=0.72,
                    key=0.62, warmth=0.45, saturation=1.12, vignette=0.4),
    "modern": Mood(("contemporary", "sleek", "tech", "architectural", "geometric light"),
                   ("#b7bbbf", "#cfd2d4", "#7a8187"), azimuth=58, elevation=48, softness=0.15, contrast=0.7,
                   warmth=-0.25, saturation=0.85),
    "industrial": Mood(("urban", "factory", "warehouse", "gritty", "metallic"),
                       ("#8d8f90", "#a8a9a8", "#535659"), azimuth=-35, elevation=66, softness=0.3, spot=0.4,
                       contrast=0.74, key=0.65, warmth=-0.2, saturation=0.6, vignette=0.35),
    "futuristic": Mood(("cyber", "cyberpunk", "neon", "sci fi", "space", "digital"),
                       ("#5458cc", "#8c78f0", "#262b60", "#3fcfe6"), azimuth=66, elevation=30, softness=0.3, spot=0.6,
                       contrast=0.78, key=0.65, warmth=-0.6, saturation=1.25, vignette=0.35),
    "tropical": Mood(("exotic", "beach", "resort", "ocean", "seaside", "coastal", "island"),
                     ("#b5ded4", "#f3e4c4", "#47a698"), azimuth=-45, elevation=62, softness=0.08, contrast=0.7, key=0.4,
                     warmth=0.25, saturation=1.2, vignette=0.0),
}  # fmt: skip

_NUMBERS = ("elevation", "softness", "spot", "warmth", "contrast", "key", "saturation", "vignette")
_NEGATED = re.compile(r"\b(?:not|no|never|without)\s+(?:(?:too|very|so|overly|at all|a|any)\s+)*\w+", re.IGNORECASE)


def understand(text: str) -> tuple[list[str], Mood]:
    """Return the names of the moods that `text` mentions, and one mood of them all.

    Of several, each number is moved from the default's as far as by the mood that moves it farthest, and what moves
    it both ways is added up: a warm and dramatic set is as warm as a warm one and as dramatic as a dramatic one. The
    palette and the side that the light comes from are the first one's. Words after "not", "no" or "without" do not
    count. Of none, it is the default mood and the list is empty.
    """
    found = words.find(_NEGATED.sub(" ", text), {name: mood.synonyms for name, mood in MOODS.items()})
    moods, plain = [MOODS[name] for name in found] or [MOODS[DEFAULT]], MOODS[DEFAULT]
    first = moods[0]

    def combined(attribute: str) -> float:
        moves = [getattr(mood, attribute) - getattr(plain, attribute) for mood in moods]
        return float(getattr(plain, attribute) + max(0, *moves) + min(0, *moves))

    side = 1 if first.azimuth > 0 else -1
    return found, Mood(
        synonyms=(),
        palette=first.palette,
        azimuth=side * sum(abs(mood.azimuth) for mood in moods) / len(moods),
        **{name: combined(name) for name in _NUMBERS},
    )


def weakened(mood: Mood, share: float) -> Mood:
    """Return a mood that moves each number only a `share` as far from the default's."""
    plain = MOODS[DEFAULT]
    return replace(
        mood,
        **{name: getattr(plain, name) + share * (getattr(mood, name) - getattr(plain, name)) for name in _NUMBERS},
    )
