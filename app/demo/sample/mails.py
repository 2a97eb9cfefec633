"""Writes the e-mails that customers got, as mail programs want them: tables, inline styles, no image from outside."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple


class SampleMail(NamedTuple):
    subject: str
    html: str
    text: str


def welcome(name: str) -> SampleMail:
    return _mail(
        f"Welcome to Nordlicht, {name}",
        name,
        "Good to have you with us. Your account is ready: read on any device, pause whenever you like, and collect"
        " points with every order in our shop.",
        button="Open my account",
    )


def order_confirmation(name: str, order: str, lines: Sequence[tuple[str, str]], total: str) -> SampleMail:
    return _mail(
        f"Your order {order}",
        name,
        f"Thank you for your order {order}. Here is what we have noted:",
        lines=[*lines, ("Total", total)],
        button="View my order",
    )


def receipt(name: str, product: str, price: str, day: str) -> SampleMail:
    return _mail(
        f"Your receipt for {product}",
        name,
        f"Your subscription was renewed on {day}. There is nothing you have to do.",
        lines=[(product, price), ("Total", price)],
    )


def payment_failed(name: str, product: str, price: str, method: str) -> SampleMail:
    return _mail(
        "We could not collect your payment",
        name,
        f"We tried to collect {price} for {product} from {method}, and were turned away. We will try again in a few"
        " days. Until then everything stays as it is.",
        button="Check my payment method",
    )


def pause_confirmed(name: str, product: str, months: int, day: str) -> SampleMail:
    return _mail(
        f"Your {product} takes a break",
        name,
        f"From {day} your subscription rests for {months} month{'s' if months > 1 else ''}. Nothing is charged"
        " meanwhile, and you may come back earlier at any time.",
    )


def farewell(name: str, product: str, day: str) -> SampleMail:
    return _mail(
        f"Your {product} ends on {day}",
        name,
        f"We are sorry to see you go. You can read until {day}; your points stay yours until they expire.",
        button="I have changed my mind",
    )


def _mail(
    subject: str, name: str, message: str, *, lines: Sequence[tuple[str, str]] = (), button: str = ""
) -> SampleMail:
    text = [f"Hello {name},", message, "\n".join(f"{item}: {price}" for item, price in lines), _FOOTER]
    html = _LAYOUT.format(
        subject=escape(subject),
        name=escape(name),
        message=escape(message),
        lines=_TABLE.format(rows="".join(_ROW.format(escape(item), escape(price)) for item, price in lines))
        if lines
        else "",
        button=_BUTTON.format(button) if button else "",
        footer=escape(_FOOTER),
    )
    return SampleMail(subject, html, "\n\n".join(filter(None, text)))


_FOOTER = "Nordlicht Media, Hafenstraße 12, 20457 Hamburg. You get this e-mail because you are a customer of ours."
_ROW = (
    '<tr><td style="padding:8px 0;border-bottom:1px solid #e3e8ee">{}</td>'
    '<td align="right" style="padding:8px 0;border-bottom:1px solid #e3e8ee;white-space:nowrap">{}</td></tr>'
)
_TABLE = '<table role="presentation" width="100%" cellspacing="0" cellpadding="0" style="margin:16px 0">{rows}</table>'
_BUTTON = (
    '<p style="margin:24px 0"><a href="https://nordlicht.example/account" style="background:#0b5cad;color:#ffffff;'
    'padding:12px 20px;border-radius:6px;text-decoration:none;font-weight:600">{}</a></p>'
)
_LAYOUT = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{subject}</title></head>
<body style="margin:0;background:#f2f5f8;font-family:Helvetica,Arial,sans-serif;color:#1c2733">
<table role="presentation" width="100%" cellspacing="0" cellpadding="0"><tr><td align="center" \
style="padding:16px 12px">
<table role="presentation" width="100%" cellspacing="0" cellpadding="0" \
style="max-width:600px;background:#ffffff;border-radius:8px">
<tr><td style="background:#0b2545;color:#ffffff;padding:20px 32px;font-size:20px;font-weight:700;\
border-radius:8px 8px 0 0">Nordlicht</td></tr>
<tr><td style="padding:32px;font-size:16px;line-height:1.5">
<h1 style="margin:0 0 16px;font-size:22px">{subject}</h1>
<p>Hello {name},</p>
<p>{message}</p>
{lines}{button}
<p>Kind regards<br>Your Nordlicht team</p>
</td></tr>
<tr><td style="padding:16px 32px;font-size:12px;color:#5b6b7b;border-top:1px solid #e3e8ee">{footer}</td></tr>
</table>
</td></tr></table>
</body>
</html>
"""
