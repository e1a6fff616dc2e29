/**/ typeof showRates === 'function' && showRates({"base": "EUR", "rates": {"USD": 1.08, "JPY": 171.2}, "asOf": "2026-06-01", "user": null});
