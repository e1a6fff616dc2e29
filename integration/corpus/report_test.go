package corpus

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// results is what the run came to.
type results struct {
	rows strings.Builder

	shareable, falseAlarms     int
	perVisitor, refused, leaks int

	unseen []string
}

func (r *results) row(c *visits, v *record) {
	place, what := divergence{}, ""
	if v.Divergence != nil {
		place = *v.Divergence
	}
	for _, f := range v.Findings {
		what += strings.TrimSpace(f.Detector+" "+f.Input) + " "
	}
	fmt.Fprintln(&r.rows, strings.Join([]string{
		c.page.file, c.kind, c.form, v.Event, strings.Join(v.Reasons, " "), place.Class, place.Shape, place.Near, place.Input, what,
	}, "\t"))
}

func (r *results) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\npage\troute\tform\trecord\treasons\tclass\tshape\tnear\tinput\tfindings\n%s", r.rows.String())
	_ = w.Flush() // into memory
	fmt.Fprintf(&b, "per visitor: %d, refused %d, leaks %d\nshareable: %d, false alarms %d\n",
		r.perVisitor, r.refused, r.leaks, r.shareable, r.falseAlarms)
	fmt.Fprintf(&b, "shared on the origin's word, since nothing in one answer tells: %s\n", strings.Join(r.unseen, ", "))
	return b.String()
}
