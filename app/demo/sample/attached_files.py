"""Holds the files that agents attach to notes: a photo and a page, small and real."""

import base64
from typing import Final

PHOTO: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAABgAAAAYAgMAAACdGdVrAAAADFBMVEXEmmzgyaZaPiQ8KB77+zhWAAAALklEQVR42mNYBQYMDQys"
    "AQxM1Kd4INT/QyAq+P8nJCr+/z9MQahKmD6gKRAHAgAOTSfbKqjG7gAAAABJRU5ErkJggg=="
)
"""A parcel with a dent, as PNG."""


def page(text: str) -> bytes:
    """Returns a PDF of one page with a line of text, in ASCII and without brackets."""
    drawing = f"BT /F1 18 Tf 72 770 Td ({text}) Tj ET"
    objects = (
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        "/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        f"<< /Length {len(drawing)} >>\nstream\n{drawing}\nendstream",
    )
    pdf, places = "%PDF-1.4\n", list[int]()
    for number, content in enumerate(objects, 1):
        places.append(len(pdf))
        pdf += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    trailer = f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(pdf)}\n%%EOF\n"
    return f"{pdf}xref\n0 {size}\n0000000000 65535 f \n{table}{trailer}".encode("ascii")
