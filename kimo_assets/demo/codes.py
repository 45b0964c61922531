"""Italian and international codes with their check digits: VAT numbers, EAN-13, IBAN.

What they belong to is decided elsewhere.
"""

# The banks' rule gives digits in odd places these values.
_CIN_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21)


def vat_number(number: int, office: str) -> str:
    """A partita IVA: 7 digits of the company, 3 of the province's office, the check digit."""
    body = f"{number % 10_000_000:07d}{office}"
    return body + str(luhn_check_digit(body))


def luhn_check_digit(body: str) -> int:
    """The check digit of a partita IVA: every second digit doubled."""
    total = 0
    for index, digit in enumerate(map(int, body)):
        if index % 2:
            # Less 9 is the same as adding up both digits of the doubled one.
            digit = digit * 2 - 9 * (digit * 2 > 9)
        total += digit
    return -total % 10


def ean13(number: int) -> str:
    """An Italian EAN-13 (prefix 80)."""
    body = f"80{number % 10_000_000_000:010d}"
    return body + str(ean_check_digit(body))


def ean_check_digit(body: str) -> int:
    """The check digit of the 12 digits of an EAN-13."""
    return -(sum(map(int, body[::2])) + 3 * sum(map(int, body[1::2]))) % 10


def cin(abi: str, cab: str, account: str) -> str:
    """The letter that guards bank, branch and account number inside an Italian IBAN."""
    total = sum(
        # Places count from 1, so that index 0 is an odd place.
        int(digit) if index % 2 else _CIN_ODD[int(digit)]
        for index, digit in enumerate(abi + cab + account)
    )
    return chr(ord("A") + total % 26)


def iban(abi: str, cab: str, account: str) -> str:
    """An Italian IBAN: 27 characters; `account` has 12 digits."""
    bban = cin(abi, cab, account) + abi + cab + account
    # 98 less the remainder makes the whole number leave 1 (ISO 13616).
    return f"IT{98 - iban_remainder(bban + 'IT00'):02d}{bban}"


def iban_remainder(rearranged: str) -> int:
    """Remainder by 97 of an IBAN whose first four characters were moved to the end; 1 when it is
    valid.
    """
    return int("".join(str(int(character, 36)) for character in rearranged)) % 97
