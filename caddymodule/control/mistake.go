package control

// Mistake is an error that whoever asked can mend: the endpoint answers it with 400.
// Nothing was done.
type Mistake string

func (m Mistake) Error() string { return string(m) }

// NotFound is an error about something that there is not, a route or an object: the
// endpoint answers it with 404. Nothing was done.
type NotFound string

func (n NotFound) Error() string { return string(n) }
