"""Holds the events of the loyalty platform's activity log.

Its document names purchase and level promotion; the other types are ours. Points are a field of the activity, not an
attribute.
"""

from functools import partial

from app.catalogue.model import ActivityGroup as Group
from app.catalogue.model import AttributeKind as Kind
from app.catalogue.model import Audience, Origin, activity_type
from app.catalogue.shared import AMOUNT, COUPON_CODE, PASS_ID, PASS_PROVIDER, TO_ADDRESS, TRANSACTION_ID, optional

named = partial(activity_type, source="loyalty", origin=Origin.DOCUMENT)
row = partial(activity_type, source="loyalty", origin=Origin.OURS)

PRODUCTS = (
    optional("productIds", "Product IDs", Kind.LIST, personal=False),
    optional("productCategories", "Product categories", Kind.LIST, personal=False),
)
LEVELS = (optional("levelFrom", "Level from", personal=False), optional("levelTo", "Level to", personal=False))
REWARD = optional("rewardName", "Reward name", personal=False)

ROWS = (
    named(
        "Purchase", "The customer bought something that counts.", Group.TRANSACTION, TRANSACTION_ID, AMOUNT, *PRODUCTS
    ),
    row("Refund", "A purchase was given back.", Group.REFUND, TRANSACTION_ID, AMOUNT, *PRODUCTS),
    row("Opt in", "The customer joined the loyalty programme.", Group.MEMBERSHIP),
    row("Opt out", "The customer left the loyalty programme.", Group.MEMBERSHIP),
    row("Profile completed", "The customer filled in their profile.", Group.CUSTOMER),
    row("Birthday", "It was the customer's birthday.", Group.CUSTOMER, audience=Audience.OWNER),
    row("Referral", "The customer brought somebody along.", Group.OTHER),
    row("Social share", "The customer shared a page.", Group.OTHER, optional("url", "URL", personal=True)),
    row("Review", "The customer reviewed a product.", Group.OTHER, optional("productId", "Product ID", personal=False)),
    row("Check-in", "The customer checked in at a place.", Group.OTHER, optional("place", "Place", personal=True)),
    row(
        "Survey completed",
        "The customer answered a survey.",
        Group.OTHER,
        optional("surveyName", "Survey name", personal=False),
    ),
    named("Level promotion", "The customer rose to a higher level.", Group.MEMBERSHIP, *LEVELS),
    row("Level demotion", "The customer fell to a lower level.", Group.MEMBERSHIP, *LEVELS),
    row("Reward claimed", "The customer claimed a reward.", Group.COUPON, REWARD),
    row(
        "Coupon added", "The customer was given a coupon, by a reward or by a rule.", Group.COUPON, COUPON_CODE, REWARD
    ),
    row("Coupon redeemed", "A coupon was used.", Group.COUPON, COUPON_CODE, code="LOYALTY_COUPON_REDEEMED"),
    row("Points added", "Points were added by hand.", Group.POINTS),
    row("Points deducted", "Points were taken away by hand.", Group.POINTS),
    row("Points expired", "Points reached their expiry unspent.", Group.POINTS),
    row("Points reserved", "Points were set aside for a spending.", Group.POINTS, TRANSACTION_ID),
    row("Points released", "Points set aside became spendable again.", Group.POINTS, TRANSACTION_ID),
    row("Points pending", "Points were promised that still have to be confirmed.", Group.POINTS, TRANSACTION_ID),
    row("Points activated", "Pending points became spendable.", Group.POINTS, TRANSACTION_ID),
    row("Pass added", "A wallet pass was added to the customer's profile.", Group.PASS, PASS_ID, REWARD),
    row("Pass updated", "A wallet pass was changed.", Group.PASS, PASS_ID),
    row(
        "Pass pushed",
        "The wallet provider was told that a pass should be updated.",
        Group.PASS,
        PASS_ID,
        PASS_PROVIDER,
        code="LOYALTY_PASS_PUSHED",
    ),
    row(
        "Pass emailed",
        "A wallet pass was sent to the customer again by email.",
        Group.PASS,
        PASS_ID,
        TO_ADDRESS,
        code="LOYALTY_PASS_EMAILED",
    ),
    row("Newsletter subscribed", "The customer subscribed to the newsletter.", Group.OTHER),
    row("App installed", "The customer installed the app.", Group.OTHER),
    row(
        "Challenge completed",
        "The customer met a challenge.",
        Group.OTHER,
        optional("challengeName", "Challenge name", personal=False),
    ),
)
