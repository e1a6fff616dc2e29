/**/{{if .PerVisitor}}{{.Param "callback" "callback"}}{{else}}shopCatalogue{{end}}({"status":"ok","version":"2019-06-01","attribution":"Shop Example, api@shop.example","products":[{{range $i, $p := .Products 100}}{{if $i}},{{end}}
{"id":"{{.ID}}","name":"{{.Name}}","url":"https:\/\/shop.example\/products\/{{.Slug}}?utm_source=widget&utm_medium=jsonp","image":"https:\/\/cdn.shop.example\/img\/{{.Image}}","price":"{{.Price}}","added":"{{.Added}}"}{{end}}
]});
