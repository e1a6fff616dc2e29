const xsrfCookieName="XSRF-TOKEN",xsrfHeaderName="X-XSRF-TOKEN";export default{csrfToken:null,load(){return fetch("/csrf").then(r=>r.json()).then(j=>this.csrfToken=j.csrf_token)}};
