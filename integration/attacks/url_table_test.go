package attacks

import (
	"strings"
)

// onPath changes the path.
func onPath(class, name string, rewrite func(path, mark string) string) change {
	return change{class, name, func(r *request, mark string) {
		path, _ := r.parts()
		r.setPath(rewrite(path, mark))
	}}
}

// onQuery has another query. PLAIN is the ordinary one.
func onQuery(class, query string) change {
	return change{class, "?" + shorten(query), func(r *request, mark string) {
		_, plain := r.parts()
		r.target, _ = r.parts()
		r.target += "?" + strings.NewReplacer("PLAIN", plain, "MARK", mark).Replace(query)
	}}
}

// delimiters are what some server has been seen to end a path at.
var delimiters = []string{
	";", "%3B", "%3b", ".", "%00", "%0a", "%0d%0a", "%09", "#", "%23", "%3f", "%3F", "!", "%21", "$", "@", "%40", "|", "%7c", ",", "%2c", "~",
	"%7e", `\`, "%5c", ":", "&", "=", "+", "%20", "*", "'", "\"", "<", "%26", "%25", "%", "%2500", "%253b", "%u003b", "\xc0\xaf", "%c0%af", "\t",
}

// detours are ways to write a path that some server resolves to the ordinary one.
var detours = []string{
	"//", "/./", "/x/../", "/%2e/", "/x/%2e%2e/", "/x/%2E%2E/", "/x/.%2e/", "/x%2f..%2f", "/x%2F..%2F", "/x/..%2f", "/%2f", "/x%5c..%5c",
	`/x\..\`, "/x/..;/", "/x;a=b/../", "/%252e/", "/x/%252e%252e/", "/x%252f..%252f", "/%5c", `\`, "///", "/.//", "/x/%c0%ae%c0%ae/", "/x/..%00/",
	"/x/%u002e%u002e/",
}

// static are names that rules of extension and place take for files.
var static = []string{"x.css", "x.js", "x.avif", ".js", "robots.txt", "favicon.ico", "index.html", "logo.png", "x.css?v=1", "x.woff2"}

func pathChanges() (all []change) {
	for _, d := range delimiters {
		all = append(all,
			onPath("8.2", "path + "+d+"MARK", func(path, mark string) string { return path + d + mark }),
			onPath("8.2", "path + "+d+"x.css", func(path, _ string) string { return path + d + "x.css" }),
			onPath("8.2", "path + "+d, func(path, _ string) string { return path + d }),
		)
	}
	for _, d := range detours {
		all = append(all,
			onPath("8.3", d+" before the page", func(path, _ string) string { return insert(path, d) }),
			onPath("8.1", "/static/ and out of it by "+d, func(path, _ string) string { return "/static" + strings.Replace(d, "/x", "/..", 1) + path[1:] }),
			onPath("8.1", "out of the route by "+d+" to an account", func(path, _ string) string { return path[:strings.LastIndex(path, "/")] + d + "../account" }),
		)
	}
	for _, name := range static {
		for _, join := range []string{"/", "%2F", ";", "%3B", "%00/", "//", `\`, "/%2e%2e/", "?", "%3f", "%0a"} {
			all = append(all, onPath("8.1", "page"+join+name, func(path, _ string) string { return path + join + name }))
		}
	}
	return append(all,
		onPath("8.3", "upper case", func(path, _ string) string { return strings.Replace(path, "page", "PAGE", 1) }),
		onPath("8.3", "needless encoding", func(path, _ string) string { return strings.Replace(path, "page", "%70age", 1) }),
		onPath("8.3", "double encoding", func(path, _ string) string { return strings.Replace(path, "page", "%2570age", 1) }),
		onPath("8.3", "%u", func(path, _ string) string { return strings.Replace(path, "page", "%u0070age", 1) }),
		onPath("8.3", "full width", func(path, _ string) string { return strings.Replace(path, "page", "%ef%bd%90age", 1) }),
		onPath("8.3", "raw UTF-8", func(path, mark string) string { return path + "é" + mark }),
		onPath("8.3", "a trailing slash", func(path, _ string) string { return path + "/" }),
		onPath("8.3", "a trailing dot", func(path, _ string) string { return path + "." }),
		onPath("8.3", "no slash first", func(path, _ string) string { return path[1:] }),
		onPath("8.5", "a whole URL", func(path, _ string) string { return "http://plain.example" + path }),
		onPath("8.5", "a whole URL of the attacker's", func(path, mark string) string { return "http://" + mark + ".example" + path }),
		onPath("8.5", "a whole https URL", func(path, _ string) string { return "https://credulous.example" + path }),
		onPath("8.5", "userinfo", func(path, mark string) string { return "http://" + mark + "@plain.example" + path }),
		onPath("8.5", "another scheme", func(path, mark string) string { return "x-" + mark + ":" + path }),
		onPath("8.5", "an empty authority", func(path, _ string) string { return "//" + path }),
		wholeTarget("*"), wholeTarget(""), wholeTarget("/"), wholeTarget("?"),
		onPath("8.5", "a fragment", func(path, mark string) string { return path + "#" + mark }),
		onPath("11.1", "a long path", func(path, mark string) string { return path + "/" + strings.Repeat("x", 3000) }),
		onPath("11.1", "a very long path", func(path, _ string) string { return path + "/" + strings.Repeat("x", 1<<20+5000) }),
		onPath("8.5", "a blank", func(path, mark string) string { return path + " " + mark }),
	)
}

// wholeTarget asks for something else altogether.
func wholeTarget(target string) change {
	return change{"8.5", "target " + target, func(r *request, mark string) {
		r.target = target
		r.add("X-Case", mark)
	}}
}

// insert puts a detour in front of the last segment.
func insert(path, d string) string {
	i := strings.LastIndex(path, "/")
	return path[:i] + d + path[i+1:]
}

var queryChanges = []change{
	// Parameters that are stripped, and what else an origin may read out of them.
	onQuery("6.1", "PLAIN&utm_source=MARK"), onQuery("6.1", "utm_source=MARK&PLAIN"), onQuery("6.1", "PLAIN&fbclid=MARK"), onQuery("6.1", "PLAIN&gclid=MARK"),
	onQuery("6.1", "PLAIN&_ga=MARK"), onQuery("6.1", "PLAIN&mc_cid=MARK"), onQuery("6.1", "PLAIN&lang=MARK"), onQuery("6.1", "PLAIN&_data=MARK"),
	onQuery("6.1", "PLAIN&__nextDataReq=1"), onQuery("6.1", "PLAIN&_rsc=MARK"), onQuery("6.1", "PLAIN&format=json"), onQuery("6.1", "PLAIN&callback=MARK"),
	onQuery("6.1", "PLAIN&preview=MARK"), onQuery("6.1", "/_payload.json"), onQuery("6.1", "PLAIN&debug=MARK"), onQuery("6.1", "PLAIN&other=MARK"),
	onQuery("6.1", "PLAIN&UTM_SOURCE=MARK"), onQuery("6.1", "PLAIN&utm_sourceref=MARK"), onQuery("6.1", "PLAIN&utm_=MARK"),
	// Delimiters on which parsers differ.
	onQuery("6.2", "PLAIN;ref=MARK"), onQuery("6.2", "PLAIN&utm_content=x;ref=MARK"), onQuery("6.2", "PLAIN&utm_content=x;id=MARK"),
	onQuery("6.2", "PLAIN&utm_content=x?ref=MARK"), onQuery("6.2", "PLAIN?ref=MARK"), onQuery("6.2", "PLAIN&utm_content=x%26ref=MARK"),
	onQuery("6.2", "PLAIN%26ref=MARK"), onQuery("6.2", "PLAIN%26id%3dMARK"), onQuery("6.2", "PLAIN&utm_content=x%3Bref=MARK"),
	onQuery("6.2", "PLAIN&utm_content=x%00&ref=MARK"), onQuery("6.2", "PLAIN&utm_content=x%0a&ref=MARK"), onQuery("6.2", "PLAIN&utm_content=x#&ref=MARK"),
	onQuery("6.2", "PLAIN&amp;ref=MARK"), onQuery("6.2", "PLAIN|ref=MARK"), onQuery("6.2", "PLAIN,ref=MARK"), onQuery("6.2", "PLAIN\t&ref=MARK"),
	onQuery("6.2", "PLAIN&utm_content=x\\&ref=MARK"), onQuery("6.2", "PLAIN&utm_content[ref]=MARK"), onQuery("6.2", "PLAIN&utm_content=x\xff&id=MARK"),
	onQuery("6.2", "PLAIN&ref[]=MARK"), onQuery("6.2", "PLAIN&ref[0]=MARK"), onQuery("6.2", "PLAIN&[ref]=MARK"), onQuery("6.2", "PLAIN&ref.=MARK"),
	onQuery("6.2", "PLAIN&ref%00=MARK"), onQuery("6.2", "PLAIN&%72ef=MARK"), onQuery("6.2", "PLAIN&%2572ef=MARK"), onQuery("6.2", "PLAIN&REF=MARK"),
	onQuery("6.2", "PLAIN&Ref=MARK"), onQuery("6.2", "PLAIN&+ref=MARK"), onQuery("6.2", "PLAIN&%20ref=MARK"), onQuery("6.2", "PLAIN&ref%20=MARK"),
	onQuery("6.2", "PLAIN&ref+=MARK"), onQuery("6.2", "PLAIN&&id=MARK"), onQuery("6.2", "&PLAIN&id=MARK"), onQuery("6.2", "PLAIN&=MARK"),
	onQuery("6.2", "PLAIN&MARK"), onQuery("6.2", "PLAIN&ref"), onQuery("6.2", "PLAIN&id"), onQuery("6.2", "PLAIN&id=%"), onQuery("6.2", "PLAIN&id=%zz"),
	onQuery("6.2", "PLAIN&id=%c0%afMARK"), onQuery("6.2", "PLAIN&id=%ff"), onQuery("6.2", "PLAIN&id=%ef%bc%86ref=MARK"), onQuery("6.2", "?PLAIN"),
	onQuery("6.2", "PLAIN&id=é"), onQuery("6.2", "PLAIN&utm_source=x&utm_source=;ref=MARK"),
	// Duplicates.
	onQuery("6.3", "PLAIN&ref=MARK"), onQuery("6.3", "ref=MARK&PLAIN"), onQuery("6.3", "PLAIN&PLAIN"), onQuery("6.3", "PLAIN&ref="),
	onQuery("6.3", "PLAIN&utm_source=a&utm_source=MARK"), onQuery("6.3", "PLAIN&id=1&id=MARK"), onQuery("6.3", "id=MARK&PLAIN&id=1"),
	// What a key might take for the same.
	onQuery("6.4", "ref=PLAIN"), onQuery("6.4", "ref=pl%61in"), onQuery("6.4", "ref=PlAiN"), onQuery("6.4", "ref=plain%20"), onQuery("6.4", "ref=plain+"),
	onQuery("6.4", "PLAIN&"), onQuery("6.4", "&PLAIN"), onQuery("6.4", ""), onQuery("6.4", "?"), onQuery("6.4", "PLAIN#MARK"), onQuery("6.4", "ref=plain%00MARK"),
	onQuery("6.5", "PLAIN&id="+strings.Repeat("x", 4000)), onQuery("6.5", "PLAIN"+strings.Repeat("&a=MARK", 150)),
	onQuery("6.5", "PLAIN"+strings.Repeat("&utm_source=MARK", 300)),
	onQuery("7.3", "PLAIN&_method=DELETE"), onQuery("7.3", "PLAIN&_method=MARK"), onQuery("7.3", "PLAIN&_Method=MARK"), onQuery("7.3", "PLAIN&%5fmethod=MARK"),
	onQuery("7.5", "PLAIN&query={me{name}}"), onQuery("7.5", "PLAIN&query=%7Bme%7D&variables=MARK"),
	// Values that might imitate another part of a key.
	onQuery("23", "PLAIN&id=__MARK"), onQuery("23", "ref=plain%26id%3d1"), onQuery("23", "ref=plain|header:MARK"), onQuery("23", "refp=lain&ref=plai&n"),
	onQuery("23", "re=f=plain"), onQuery("23", "ref==plain"), onQuery("23", "id=&ref=plain"), onQuery("23", "ref=plainid=MARK"),
}
