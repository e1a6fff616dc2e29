package lint

import (
	"slices"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

// fileExtensions are those of files that a build or an upload makes: the same bytes
// for everybody until somebody replaces them. What an app renders (html, php, json,
// xml, txt) or exports for one visitor (csv, xlsx, docx) is not among them.
var fileExtensions = words(`
	css js mjs cjs map wasm webmanifest swf
	png jpg jpeg gif webp avif svg ico bmp tif tiff heic
	woff woff2 ttf otf eot
	mp3 mp4 m4a m4s m4v webm ogg oga ogv wav flac mov ts aac m3u8 mpd vtt srt
	pdf epub zip gz tgz bz2 xz zst br 7z rar tar jar war whl gem crate deb rpm apk dmg exe msi iso img bin pkg`)

// fileFolders are directories, and first labels of hosts, in which such files stand.
var fileFolders = words(`
	static statics assets asset dist build bundles public img imgs image images icons media thumbs thumbnails photos
	css js fonts font files uploads upload downloads download dl cdn vendor lib libs packs packages pool mirror mirrors
	artifacts releases wp-content wp-includes _next _nuxt _astro _app sprites favicons video videos audio posters covers`)

func words(s string) map[string]bool {
	set := make(map[string]bool)
	for _, w := range strings.Fields(s) {
		set[w] = true
	}
	return set
}

// servesFiles says whether everything that the match lets through is a file by its
// name or place. Rules about pages leave such routes alone.
func servesFiles(m policies.Match) bool {
	all := func(patterns []string, files func(string) bool) bool {
		return len(patterns) > 0 && !slices.ContainsFunc(patterns, func(p string) bool { return !files(p) })
	}
	return all(m.Hosts, hostOfFiles) || all(m.Paths, pathOfFiles)
}

// hostOfFiles goes by the first label: static.example.com, img2.example.com.
func hostOfFiles(host string) bool {
	first, _, _ := strings.Cut(strings.ToLower(host), ".")
	return fileFolders[strings.TrimRight(first, "-0123456789")]
}

func pathOfFiles(pattern string) bool {
	segments := strings.Split(strings.ToLower(pattern), "/")
	last := len(segments) - 1
	if slices.ContainsFunc(segments[:last], func(s string) bool { return fileFolders[s] }) {
		return true
	}
	dot := strings.LastIndexByte(segments[last], '.')
	return dot >= 0 && fileExtensions[segments[last][dot+1:]]
}

// pagesOf says in words what the match lets through that is no file: the first such
// path, and where there is none, the first path or the host.
func pagesOf(m policies.Match) string {
	for _, path := range m.Paths {
		if !pathOfFiles(path) && path != "/*" {
			return "`" + path + "`"
		}
	}
	switch {
	case len(m.Paths) > 0 && !slices.Contains(m.Paths, "/*"):
		return "`" + m.Paths[0] + "`"
	case len(m.Hosts) > 0:
		return "`" + m.Hosts[0] + "`"
	}
	return "this site"
}
