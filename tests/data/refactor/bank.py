# SPDX-License-Identifier: Apache-2.0
"""A sample for refactorings: accounts, with checks of itself."""
import math


class Account:
    def __init__(self, owner, balance=0):
        self.owner = owner
        self.balance = balance
        self.log = []

    def pay(self, other, amount):
        fee = max(1, amount // 100)
        total = amount + fee
        if total > self.balance or amount <= 0:
            raise ValueError("no")
        self.balance -= total
        other.balance += amount
        self.log.append((other.owner, amount))
        return fee


def interest(balance, rate, years):
    factor = 1 + rate
    result = balance
    for year in range(years):
        before = result
        result = before * factor
        if result - before < 0.5:
            result = before + 0.5
    return round(result, 2)


def statistics(numbers):
    count = len(numbers)
    if not count:
        return 0, 0
    total = 0
    squares = 0
    for n in numbers:
        total += n
        squares += n * n
    mean = total / count
    spread = math.sqrt(squares / count - mean * mean)
    label = "%d numbers" % count
    print_to = []
    print_to.append(label + ": " + str(mean))
    return mean, spread


def words(text):
    found = {}
    for word in text.split():
        key = word.strip(".,").lower()
        found[key] = found.get(key, 0) + 1
    best = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    limit = 2
    return [name for name, n in best[:limit]]


def check():
    a, b = Account("a", 1000), Account("b")
    assert a.pay(b, 200) == 2
    assert (a.balance, b.balance) == (798, 200)
    assert a.log == [("b", 200)]
    try:
        b.pay(a, 500)
        raise AssertionError
    except ValueError:
        pass
    assert interest(100, 0.02, 3) == 106.12
    assert interest(1, 0.02, 2) == 2.0
    assert statistics([]) == (0, 0)
    mean, spread = statistics([1, 2, 3, 4])
    assert mean == 2.5 and round(spread, 3) == 1.118
    assert words("A b. b, c a b") == ["b", "a"]


check()
print("good")
