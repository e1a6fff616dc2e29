package policies

// attribution reads what keeps who sent a visitor.
func (d *decoder) attribution(into **Attribution) reader {
	return func(n *node, path string) {
		a := new(Attribution)
		*into = a
		d.object(n, path, "an object with params or referer, and where the values go",
			member{"params", d.words(&a.Params, "name")},
			member{"referer", word(d, &a.Referer, "external or external-full")},
			member{"model", word(d, &a.Model, "first, last or last-paid")},
			member{"paid", d.words(&a.Paid, "paid parameter")},
			member{"carry", word(d, &a.Carry, "cookie, beacon or both")},
			member{"window", d.duration(&a.Window, false)},
			member{"encrypt", word(d, &a.Encrypt, "on or off")},
			member{"deliver", d.deliver(&a.Deliver)},
			member{"beacon", d.beacon(&a.Beacon)},
			member{"consent", d.consent(&a.Consent)},
		)
	}
}

func (d *decoder) deliver(into **Deliver) reader {
	return func(n *node, path string) {
		deliver := new(Deliver)
		*into = deliver
		d.object(n, path, "an object with paths, and as",
			member{"paths", d.words(&deliver.Paths, "path")},
			member{"as", word(d, &deliver.As, "header, query or form-cookie")},
		)
		d.requiredOf(n, path, "paths")
	}
}

func (d *decoder) beacon(into **Beacon) reader {
	return func(n *node, path string) {
		b := new(Beacon)
		*into = b
		d.object(n, path, "an object with url",
			member{"url", word(d, &b.URL, "a URL")},
			member{"batch", d.integer(&b.Batch, "a whole number from 1 to 1000")},
			member{"every", d.duration(&b.Every, false)},
			member{"queue", d.integer(&b.Queue, "a whole number, such as 1000000")},
			member{"sync", word(d, &b.Sync, "always, interval or never")},
		)
		d.requiredOf(n, path, "url")
	}
}

func (d *decoder) consent(into **Consent) reader {
	return func(n *node, path string) {
		c := new(Consent)
		*into = c
		d.object(n, path, "an object with cookie, and matches",
			member{"cookie", word(d, &c.Cookie, "the name of a cookie")},
			member{"matches", word(d, &c.Matches, "a glob")},
		)
		d.requiredOf(n, path, "cookie")
	}
}

// requiredOf is required, for what may turn out to be no object at all, which is told
// already.
func (d *decoder) requiredOf(n *node, path, key string) {
	if n.kind == mapping {
		d.required(n, path, key)
	}
}
