package redis

import (
	"testing"

	"github.com/cacheward/cacheward/caddymodule/store/redis/redistest"
)

// TestCredentialsChange: a new password is shown by connections that are made after it.
func TestCredentialsChange(t *testing.T) {
	server := redistest.Start(t)
	c := client(t, server.Addr)
	do(t, c, "ACL", "SETUSER", "cacheward", "on", ">old", "~*", "&*", "+@all")
	o := options(server.Addr, "a")
	o.Username, o.Password = "cacheward", "old"
	a := open1(t, o)
	awaitReady(t, a)

	renew := func() {
		t.Helper()
		do(t, c, "ACL", "SETUSER", "cacheward", "resetpass", ">new")
		do(t, c, "CLIENT", "KILL", "USER", "cacheward")
	}
	renew()
	awaitTrust(t, a, false)
	a.SetCredentials("cacheward", "new")
	awaitReady(t, a)
}
