"""Caption files in the encodings of before Unicode: read as they are meant, or refused, and never read as nonsense."""

from __future__ import annotations

import random

import pytest

from tests.captions import said, srt
from vt.errors import SubtitleError
from vt.text import captions

TEXTS = {
    "es": "¿Dónde está el niño? Mañana iremos a la montaña. Ángela comió jamón.",
    "fr": "L'été dernier, nous étions à la fenêtre. Ça va, mon garçon ? Où êtes-vous allés ?",
    "de": "Die Mädchen müssen größer werden. Übermorgen gehört es schon früh zu spät.",
    "pt": "Não sei se amanhã você virá. A lição já é fácil, irmão.",
    "is": "Það er gott að vera hér. Þú ættir að fara heim á morgun.",
    "da": "Både børn og æbler er på bordet. Hvor går du hen i aften?",
    "fi": "Hän ei ole täällä. Älä mene yöllä järvelle, se on syvä.",
    "pl": "Gdzie jest mój brat? Zażółć gęślą jaźń, to jest łódź pełna ryb.",
    "cs": "Příští týden půjdeme na nádraží. Kde je můj žlutý kůň?",
    "hu": "Hová mész ma este? Az erdő mögött öt nő ült és őszibarackot evett, jó idő volt.",
    "hr": "Gdje je moja kuća? Sutra ćemo ići u školu, kaže žena čovjeku.",
    "ro": "Unde este fata? Mâine mergem la şcoală şi apoi în oraş, să vedem ţara.",
    "tr": "Nereye gidiyorsun? Yarın çocuklar okula gitmeyecek, çünkü hava çok soğuk. İşte ağaç.",
    "eo": "Ĉu vi estas ĉi tie? Hodiaŭ ni aŭdis ĝin, kaj ĉiuj ŝanĝis siajn ĵurnalojn.",
    "lt": "Kur yra mano brolis? Rytoj mes eisime į mišką, nes šiandien lyja. Ačiū už žuvį.",
    "lv": "Kur ir mans brālis? Rīt mēs iesim uz mežu, jo šodien līst. Paldies par zivīm, māsa.",
    "ru": "Где мой брат? Завтра мы пойдём в лес, потому что сегодня идёт дождь.",
    "uk": "Де мій брат? Завтра ми підемо до лісу, бо сьогодні йде дощ. Її немає.",
    "bg": "Къде е брат ми? Утре ще отидем в гората, защото днес вали дъжд.",
    "sr": "Где је мој брат? Сутра ћемо ићи у шуму, јер данас пада киша. Љубав.",
    "el": "Πού είναι ο αδελφός μου; Αύριο θα πάμε στο δάσος, γιατί σήμερα βρέχει.",
    "he": "איפה אח שלי? מחר נלך ליער, כי היום יורד גשם והילדים בבית.",
    "ar": "أين أخي؟ غدا سنذهب إلى الغابة لأن المطر ينزل اليوم، والأولاد في البيت.",
    "th": "พี่ชายของฉันอยู่ที่ไหน พรุ่งนี้เราจะไปป่าเพราะวันนี้ฝนตก",
    "ja": "兄はどこにいますか。今日は雨が降っているので、明日森へ行きます。",
    "zh": "我的哥哥在哪里？今天下雨了，所以我们明天要到森林里去看一看，你说好不好？",
    "ko": "우리 형은 어디에 있어요? 오늘은 비가 오기 때문에 내일 숲에 가려고 합니다.",
}
TRADITIONAL = "我的哥哥在哪裡？今天下雨了，所以我們明天要到森林裡去看一看，你說好不好？"
ENCODINGS = {
    "es fr de pt is da fi": "cp1252 iso8859-15",
    "pl cs hu hr": "cp1250 iso8859-2",
    "ro": "cp1250 iso8859-2",
    "tr": "cp1254 iso8859-9",
    "eo": "iso8859-3",
    "lt lv": "cp1257 iso8859-13",
    "ru bg sr": "cp1251 iso8859-5",
    "uk": "cp1251 koi8-u",
    "el": "cp1253 iso8859-7",
    "he": "cp1255 iso8859-8",
    "ar": "cp1256 iso8859-6",
    "th": "cp874",
    "ja": "shift_jis euc-jp iso2022_jp",
    "zh": "gb18030 gbk",
    "ko": "euc-kr cp949",
}
CASES = [
    *(
        (language, encoding, TEXTS[language])
        for languages, encodings in ENCODINGS.items()
        for language in languages.split(" ")
        for encoding in encodings.split(" ")
    ),
    ("ru", "koi8-r", TEXTS["ru"]),
    ("ru", "cp866", TEXTS["ru"]),
    ("zh", "big5", TRADITIONAL),
    ("el", "cp1253", "Άκου, ο αδελφός μου έφυγε. Άφησε την πόρτα ανοιχτή."),  # its Ά is ’ in ISO-8859-7
]


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize(("language", "encoding", "text"), CASES)
def test_old_encodings_are_told_by_the_letters_of_their_languages(
    language: str, encoding: str, text: str, named: bool
) -> None:
    found = captions.read(srt(text).encode(encoding), language if named else "")
    assert " ".join(each.text for each in found.utterances) == text
    assert encoding == "iso2022_jp" or "not in UTF-8" in found.notes[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_every_form_of_unicode_is_read_and_nothing_noted(encoding: str, text: str) -> None:
    found = captions.read(srt(text).encode(encoding))
    assert (" ".join(each.text for each in found.utterances), found.notes) == (text, ())


@pytest.mark.parametrize(
    ("text", "encoding"), [("It’s “fine” – isn’t it…", "cp1252"), ("Go to the café, please.", "cp1252")]
)
def test_an_english_text_with_a_few_other_signs_is_read(text: str, encoding: str) -> None:
    assert said(srt("Where are you going tonight?", text).encode(encoding)) == ["Where are you going tonight?", text]


@pytest.mark.parametrize("seed", range(5))
def test_what_is_in_no_encoding_of_any_language_is_refused_with_what_to_do(seed: int) -> None:
    chance = random.Random(seed)
    nonsense = bytes(chance.randrange(0x80, 0x100) if chance.random() < 0.3 else 0x65 for _ in range(200))
    with pytest.raises(SubtitleError, match="save them as UTF-8"):
        captions.read(srt("Hello there.").encode() + nonsense)


def test_a_text_of_unicode_that_was_cut_within_a_letter_is_read() -> None:
    whole = srt(TEXTS["ru"] * 3).encode()
    assert said(whole.rstrip()[:-2])[-1].endswith("сегодня идёт дожд")
