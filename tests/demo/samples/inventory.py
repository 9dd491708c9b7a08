"""Keeps track of what stands on the shelves of a small shop."""
from dataclasses import dataclass


@dataclass
class Item:
    name: str
    price: float
    quantity: int


def total_quantity(items: list[Item]) -> int:
    """Number of pieces over all items."""
    total = 0
    for item in items:
        total += item.quantity
    return total


def total_value(items: list[Item]) -> float:
    """Sum of price times quantity over all items."""
    total = 0.0
    for item in items:
        total += item.price * item.quantity
    return total


def cheapest(items: list[Item]) -> Item:
    return min(items, key=lambda item: item.price)
