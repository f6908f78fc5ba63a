"""What makes the ledger provable: anchors, checks of the whole of it, and receipts."""
