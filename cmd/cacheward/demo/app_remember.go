package demo

import "net/http"

// remember stores the attribution that the address names, if it names one, and gives
// the visitor a cookie by which the app finds it again.
func (a *app) remember(w http.ResponseWriter, r *http.Request) error {
	named := byQuery.read(r)
	if named == (attribution{}) {
		return nil
	}
	token, err := a.db.saveLead(r.Context(), named)
	if err != nil {
		return err
	}
	http.SetCookie(w, &http.Cookie{Name: leadName, Value: token, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return nil
}

// remembered returns who sent the visitor: whom the address of this very request names,
// or else what was stored when they landed.
func (a *app) remembered(r *http.Request) (attribution, error) {
	if named := byQuery.read(r); named != (attribution{}) {
		return named, nil
	}
	return a.db.lead(r.Context(), cookie(r, leadName))
}
