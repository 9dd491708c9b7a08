"""What is billed, and to whom: the other file of the demo."""


class InvoiceStore:
    def __init__(self, path: str):
        self.path = path

    def fetch_overdue(self, customer_id: int, days: int = 30) -> list:
        return []

    def mark_settled(self, invoice_id: int) -> None:
        pass
