// Package show lays out what commands print: tables, charts of one line, figures,
// times, CSV and JSON. It knows nothing of records.
//
// Values of a log may have been written by whoever sent the request. None of them
// reaches a terminal but through [Safe]: [Table], [Style.Paint] and [Wrap] apply it
// themselves, [CSV] and [JSON] in their own way. Escape sequences come from [Style]
// alone.
package show
