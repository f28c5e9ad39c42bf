"""Which column of a table holds the frames, and which the characters that become mentions."""

from dataclasses import dataclass

from .marks import stripped
from .mentions import mention

# In this order: the first that a table has, and that holds words, is the frames.
FRAME_TITLES = (
    (
        "frame",
        "frames",
        "image",
        "fotograma",
        "imagen",
        "кадр",
        "画面",
        "帧",
        "影格",
        "幀",
        "フレーム",
        "コマ",
        "프레임",
        "장면",
    ),
    ("prompt", "prompts", "invite", "промпт", "提示词", "提示詞", "プロンプト", "프롬프트"),
    (
        "description",
        "descripción",
        "descripcion",
        "описание",
        "描述",
        "说明",
        "說明",
        "説明",
        "설명",
    ),
    (
        "caption",
        "captions",
        "légende",
        "leyenda",
        "подпись",
        "标题",
        "標題",
        "キャプション",
        "캡션",
    ),
    ("text", "texte", "texto", "текст", "文本", "文字", "テキスト", "텍스트"),
)
CAST_TITLES = frozenset(
    (
        "character",
        "characters",
        "cast",
        "personnage",
        "personnages",
        "personaje",
        "personajes",
        "персонаж",
        "персонажи",
    )
    + ("角色", "人物", "キャラクター", "登場人物", "캐릭터", "등장인물")
)
NOT_WORDS = frozenset("0123456789０１２３４５６７８９.,:;/-–—#№ \t%")


@dataclass(frozen=True)
class Column:
    """A title, and one cell per row."""

    title: str
    cells: list[str]

    @property
    def name(self) -> str:
        return stripped(self.title).lower()

    @property
    def has_words(self) -> bool:
        return any(set(cell) - NOT_WORDS for cell in self.cells)


def frames_of_columns(
    columns: list[Column], only: Column | None
) -> tuple[list[str], list[str]] | None:
    """A frame for every row (empty where its cell is), and which columns are left out; None where
    no column is the frames.

    `only` is the column that is the frames where none has a title that says so.
    """
    frames = next(
        (
            column
            for titles in FRAME_TITLES
            for column in columns
            if column.name in titles and column.has_words
        ),
        only,
    )
    if frames is None:
        return None
    casts = [column for column in columns if column.name in CAST_TITLES and column is not frames]
    rows = [
        (
            mention(text, [name for column in casts for name in _names(column.cells[place])])
            if text
            else ""
        )
        for place, text in enumerate(frames.cells)
    ]
    return rows, [
        f"column {column.title}"
        for column in columns
        if column is not frames and column not in casts and column.title
    ]


def is_frame_title(title: str) -> bool:
    return any(stripped(title).lower() in titles for titles in FRAME_TITLES)


def _names(cell: str) -> list[str]:
    """The characters of a cell: `fox`, `@fox, red cat`, `fox & cat`; a name is one word."""
    for separator in (";", "，", "、", "/", "+", "&", "\n", " and "):
        cell = cell.replace(separator, ",")
    names = [stripped(name).lstrip("@") for name in cell.split(",")]
    return ["_".join(name.split()) for name in names if set(name) - set("-–—")]
