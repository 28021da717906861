"""The app's own themes beside Textual's: with high contrast, and with colours that colour-blind readers can tell apart.

The colour-blind-safe palette is that of Okabe and Ito, "Color Universal Design" (2008): training and validation losses
are blue and orange, and no pair of red and green has a meaning.
"""

from textual.theme import Theme

THEMES = (
    Theme(
        name="contrast-dark",
        primary="#66ccff",
        secondary="#99ddff",
        accent="#ffcc00",
        warning="#ffcc00",
        error="#ff9999",
        success="#66ff66",
        foreground="#ffffff",
        background="#000000",
        surface="#000000",
        panel="#1a1a1a",
        variables={"text-muted": "#e0e0e0", "text-disabled": "#b0b0b0"},
    ),
    Theme(
        name="contrast-light",
        primary="#003a75",
        secondary="#00508f",
        accent="#7a2e00",
        warning="#6b3d00",
        error="#8f0000",
        success="#004d00",
        foreground="#000000",
        background="#ffffff",
        surface="#ffffff",
        panel="#e6e6e6",
        dark=False,
        variables={"text-muted": "#1f1f1f", "text-disabled": "#383838"},
    ),
    Theme(
        name="colour-blind-dark",
        primary="#56b4e9",
        secondary="#0072b2",
        accent="#e69f00",
        warning="#f0e442",
        error="#f0814d",
        success="#56b4e9",
        foreground="#e4e4e4",
        background="#161616",
        surface="#1e1e1e",
        panel="#2a2a2a",
    ),
    Theme(
        name="colour-blind-light",
        primary="#0086e0",
        secondary="#56b4e9",
        accent="#c85a00",
        warning="#7a6a00",
        error="#b34700",
        success="#0072b2",
        foreground="#1c1c1c",
        background="#fafafa",
        surface="#ffffff",
        panel="#e8e8e8",
        dark=False,
    ),
)
