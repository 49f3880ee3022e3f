"""The words of shops: garments by category, and materials and patterns by name. Each is found in the plural too."""

from collections.abc import Mapping

GARMENTS: Mapping[str, tuple[str, ...]] = {
    "top": (
        "t-shirt", "tee shirt", "tee", "tshirt", "shirt", "blouse", "polo", "polo shirt", "tank top", "tank",
        "camisole", "cami", "sweater", "jumper", "pullover", "sweatshirt", "hoodie", "cardigan", "knitwear",
        "turtleneck", "roll neck", "crop top", "bodysuit", "tunic", "henley", "jersey top", "bra", "bralette",
        "bikini top", "corset", "bustier", "halter", "overshirt", "twinset", "singlet", "flannel shirt",
        "dress shirt", "rugby shirt",
    ),
    "bottom": (
        "trousers", "pants", "jeans", "chinos", "shorts", "skirt", "leggings", "joggers", "sweatpants", "culottes",
        "slacks", "cargo pants", "bermudas", "miniskirt", "mini skirt", "midi skirt", "maxi skirt", "skort", "tights",
        "boxers", "briefs", "underpants", "bikini bottom", "dress pants", "corduroys", "capris", "palazzos", "kilt",
    ),
    "dress": (
        "gown", "sundress", "jumpsuit", "playsuit", "romper", "dungarees", "overalls", "onesie", "pinafore", "kaftan",
        "caftan", "shirt dress", "shirtdress", "sweater dress", "maxi dress", "midi dress", "mini dress",
        "jumper dress", "t-shirt dress", "wrap dress", "evening dress", "cocktail dress", "boilersuit", "boiler suit",
        "flight suit", "flightsuit", "swimsuit", "dresses", "coverall", "space suit", "spacesuit", "sari",
        "kimono dress",
    ),
    "outerwear": (
        "coat", "jacket", "parka", "blazer", "trench", "trench coat", "trenchcoat", "raincoat", "anorak",
        "windbreaker", "overcoat", "puffer", "puffer jacket", "down jacket", "bomber", "bomber jacket",
        "denim jacket", "jean jacket", "biker jacket", "leather jacket", "gilet", "vest", "waistcoat", "poncho",
        "cape", "cloak", "fleece jacket", "suit jacket", "rain jacket", "peacoat", "pea coat", "duffle coat",
        "topcoat", "kimono", "shacket", "shirt jacket", "shearling coat",
    ),
    "footwear": (
        "shoes", "sneakers", "trainers", "boots", "ankle boots", "chelsea boots", "sandals", "heels", "high heels",
        "pumps", "loafers", "mules", "flats", "ballet flats", "oxfords", "oxford shoes", "brogues", "derbies",
        "slippers", "slides", "flip-flops", "espadrilles", "clogs", "stilettos", "wedges", "moccasins", "wellies",
        "wellingtons", "footwear", "socks", "running shoes", "dress shoes", "rain boots", "court shoes", "kicks",
        "crocs", "boat shoes", "monk straps", "high tops", "low tops", "high top sneakers",
    ),
    "headwear": (
        "hat", "cap", "baseball cap", "beanie", "bucket hat", "beret", "fedora", "sun hat", "straw hat", "bobble hat",
        "snapback", "trilby", "panama hat", "visor", "headband", "bonnet", "balaclava", "turban", "headscarf",
        "headwear", "bandana", "cowboy hat", "flat cap", "helmet", "fascinator", "top hat",
    ),
    "bag": (
        "handbag", "tote", "tote bag", "backpack", "rucksack", "clutch", "purse", "satchel", "crossbody",
        "crossbody bag", "shoulder bag", "duffel", "duffle bag", "duffel bag", "messenger bag", "bum bag",
        "fanny pack", "belt bag", "shopper", "briefcase", "wallet", "pouch", "suitcase", "holdall", "bucket bag",
        "luggage", "cosmetic bag", "weekender",
    ),
    "accessory": (
        "belt", "scarf", "scarves", "sunglasses", "glasses", "gloves", "mittens", "tie", "necktie", "bow tie",
        "watch", "necklace", "earrings", "ring", "bracelet", "brooch", "jewellery", "jewelry", "shawl", "stole",
        "pashmina", "suspenders", "braces", "umbrella", "keyring", "cufflinks", "pocket square", "snood", "eyewear",
        "wristwatch", "hair clip", "scrunchie", "accessories",
    ),
}  # fmt: skip
# What has a garment's word in it, and is none.
NO_GARMENTS = (
    "tie dye", "tie dyed", "top stitch", "top stitched", "top stitching", "top handle", "top quality", "top seller",
    "cap sleeve", "belt loop", "dress code", "ring detail", "tie waist", "tie neck", "tie front", "tie detail",
    "toe cap", "vest top back", "zip top", "flat lay", "watch pocket", "bag pocket",
)  # fmt: skip
MATERIALS: Mapping[str, tuple[str, ...]] = {
    "denim": ("chambray",),
    "leather": ("suede", "nubuck", "faux leather", "vegan leather"),
    "linen": ("flax",),
    "knit": ("knitted", "cable knit", "ribbed", "crochet", "chunky knit"),
    "wool": ("merino", "woollen", "woolen", "tweed"),
    "cashmere": (),
    "cotton": ("jersey", "canvas", "poplin", "twill"),
    "silk": ("satin", "silky"),
    "velvet": ("velour",),
    "corduroy": ("cord",),
    "fleece": ("sherpa", "teddy"),
    "lace": (),
    "nylon": ("polyester", "synthetic"),
    "fur": ("faux fur", "shearling"),
    "mesh": ("tulle", "chiffon"),
    "plain": ("solid", "unicolor", "single colour", "single color"),
    "striped": ("stripe", "stripy", "pinstripe", "breton"),
    "checked": ("check", "checkered", "chequered", "plaid", "tartan", "gingham", "houndstooth"),
    "printed": (
        "print", "pattern", "patterned", "floral", "polka dot", "dotted", "leopard", "camouflage", "camo", "paisley",
        "graphic", "tie dye",
    ),
}  # fmt: skip
