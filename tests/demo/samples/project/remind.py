from invoices import InvoiceStore

store = InvoiceStore("invoices.db")


def remind(customer_id):
    """Send a reminder for each overdue invoice."""
    invoices = store.fetch_
