"""The providers' models in the staff console."""

from tests.conftest import Shop
from tests.console import signed_in
from tests.helpers import get
from workflows.models import ImageModel

LIST = "/admin/workflows/imagemodel/"
ROW = {
    "workflow": "background-generator",
    "name": " Gemini-9 ",
    "engine": "gemini",
    "vendor_id": "gemini-9-image",
    "enabled": "on",
    "ratios": ["1:1", "16:9"],
    "resolutions": ["1K"],
    "shut_down_on": "",
    "notes": "",
}


def test_a_model_that_is_added_can_be_ordered_at_once(db, shop: Shop, settings):
    settings.GEMINI_API_KEY = "a key"
    assert "gemini-9" not in get(shop, "/v1/models").content.decode()
    answer = signed_in().post(f"{LIST}add/", ROW)
    assert (answer.status_code, answer.headers["Location"]) == (302, LIST)
    told = {model["model"]: model for model in get(shop, "/v1/models").json()["models"]}
    sizes = [(size["resolution"], size["aspect_ratio"], size["credits"]) for size in told["gemini-9"]["sizes"]]
    assert sizes == [("1K", "1:1", 2), ("1K", "16:9", 2)]


def test_what_is_wrong_with_a_model_is_said_at_its_field(db):
    browser = signed_in()
    for name, value, said in (
        ("workflow", "sculpture", "There is: background-generator, extract."),
        ("engine", "built-in", "Of background-generator there is: gemini, openai."),
        ("ratios", ["1:1", "5:1"], "Select a valid choice. 5:1 is not one of the available choices."),
        ("resolutions", ["8K"], "Select a valid choice. 8K is not one of the available choices."),
        ("name", "GPT-image-2", "already exists"),
        ("name", "built-in", "A name in small letters, and not built-in."),
        ("ratios", [], "Ratios and resolutions, or neither"),
        ("vendor_id", "", "This field is required."),
    ):
        answer = browser.post(f"{LIST}add/", {**ROW, name: value})
        assert answer.status_code == 200, name
        assert said in answer.content.decode().replace("&#x27;", "'"), name
    assert not ImageModel.objects.filter(vendor_id="gemini-9-image").exists()


def test_the_list_says_which_have_a_key(db, settings):
    settings.GEMINI_API_KEY = "a secret key"
    page = signed_in().get(LIST).content.decode()
    assert page.count("gpt-image-2") >= 3 and "gemini-3-pro-image" in page
    assert "a secret key" not in page
