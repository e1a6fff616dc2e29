/*! shop v4.2.0 | (c) 2026 */
(()=>{"use strict";const e={csrfCookie:"csrftoken",csrfHeader:"X-CSRFToken",tokenKey:"access_token"};
function t(n){return document.cookie.split("; ").find(c=>c.startsWith(n+"="))?.split("=")[1]??""}
async function login(u,p){const r=await fetch("/api/session",{method:"POST",headers:{"X-CSRF-Token":t(e.csrfCookie)},body:JSON.stringify({username:u,password:p})});const {access_token:a,refresh_token:b,session_id:s}=await r.json();localStorage.setItem("access_token",a);sessionStorage.setItem("refresh_token",b);return s}
const state={currentUser:null,user:{id:null,name:""},viewer:{},session:void 0};
function setUser(currentUser){state.currentUser={id:currentUser.id,name:currentUser.name}}
const sri="sha384-6ahmLr2zZObeiAgY7Kl9ZxMcU9nWz7xcUvEU4pLQ3oLDCj2oIkBNk40ybRLJRJJL",chunk={12:"49b5f5ea61d657687a89",47:"9a08aba0118636c615f1"},re=/eyJ[\w-]+\.[\w-]+/;
if(location.search.includes("session_id="))history.replaceState(null,"",location.pathname);
analytics.identify(state.user.id);const link=`/order?sid=${state.session}`;
})();
//# sourceMappingURL=bundle.4990b920721370da1974.js.map
