package inquiry

import "time"

// page is the URL of an object: that of the canonical request, or one that it was served for.
func (s *Served) page(l *life, rows []serving) string {
	switch {
	case l.stored != nil:
		return s.names.of(l.stored.url)
	case len(rows) > 0:
		return s.names.of(rows[0].url)
	}
	return ""
}

// leaks are those of the pages that were asked about, or of those of the objects that were,
// in the time since they are told of.
func (s *Served) leaks(wanted []servedID, byObject map[text][]serving, since time.Time, o AnswerOptions) []Leak {
	pages := make(map[string]map[string]bool) // the hosts of each path
	for i := range wanted {
		page := s.page(s.lives.objects[wanted[i].id], byObject[wanted[i].id])
		path := pathOf(page)
		if page == "" {
			continue
		}
		if pages[path] == nil {
			pages[path] = make(map[string]bool)
		}
		pages[path][hostOf(page)] = true
	}
	return s.lives.leaksDuring(since, s.options.Until, o, func(page string) bool {
		return s.selection.all() || s.selection.hasPage(page) || onHost(pages[pathOf(page)], hostOf(page))
	})
}

// hasPage says whether a page is one that was asked about, whatever its parameters: a cache
// in front that leaks may not tell it by these.
func (s *selection) hasPage(page string) bool {
	host, path := hostOf(page), pathOf(page)
	for i := range s.urls {
		if w := &s.urls[i]; w.hasPath(path) && (w.host == "" || host == "" || w.host == host) {
			return true
		}
	}
	return false
}

// onHost says whether a host is among others. An empty one may be any.
func onHost(hosts map[string]bool, host string) bool {
	return hosts[host] || hosts[""] || host == "" && len(hosts) > 0
}

// unlisted says of leaks that there is nobody on record whom a cache in front has given
// something.
func unlisted(leaks []Leak, o AnswerOptions) []string {
	var texts []string
	for i := range leaks {
		k := &leaks[i]
		text := "a probe was given what belongs to another at " + k.URL
		if k.Why != "" {
			text += " (" + k.Why + ")"
		}
		texts = append(texts, text+"; "+k.window(o.Location)+": whom a cache in front has given this page to, only its own log can tell")
		if len(texts) == maxUnlisted && len(leaks) > maxUnlisted+1 {
			return append(texts, counted(len(leaks)-maxUnlisted, "more leak of it was found", "more leaks of it were found"))
		}
	}
	return texts
}

// maxUnlisted leaks are told one by one.
const maxUnlisted = 5
