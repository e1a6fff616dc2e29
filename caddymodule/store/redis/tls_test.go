package redis

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/store/redis/redistest"
)

// certificate writes a certificate that has signed itself, for 127.0.0.1, and its key.
func certificate(t *testing.T) (file, keyFile string, pool *x509.CertPool, pair tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"redis.example"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	file, keyFile = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	for name, content := range map[string][]byte{file: certPEM, keyFile: keyPEM} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if pair, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return file, keyFile, pool, pair
}

// TestTLS: with TLS, certificates on both sides and an ACL user, all works; with a server
// that nobody has vouched for, nothing does.
func TestTLS(t *testing.T) {
	file, key, pool, pair := certificate(t)
	server := redistest.Start(t, "port 0", "tls-port PORT", "tls-cert-file "+file, "tls-key-file "+key,
		"tls-ca-cert-file "+file, "tls-auth-clients yes",
		"user default off", "user cacheward on >secret ~cw1:* "+ACLCommands)
	with := func(config *tls.Config, password string) *Store {
		o := brief(server.Addr, "a")
		o.Username, o.Password, o.TLS = "cacheward", password, config
		return open1(t, o)
	}
	a := with(&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}, "secret")
	awaitReady(t, a)
	share(t, a, object(a, "page", 3*MinPiece))
	if fetch(t, a, "page") == nil {
		t.Errorf("not fetched: %+v", a.Remote())
	}
	for name, c := range map[string]struct {
		store *Store
		want  string
	}{
		"unknown CA":     {with(&tls.Config{RootCAs: x509.NewCertPool(), Certificates: []tls.Certificate{pair}}, "secret"), "unknown authority"},
		"another name":   {with(&tls.Config{RootCAs: pool, ServerName: "else.example", Certificates: []tls.Certificate{pair}}, "secret"), "else.example"},
		"no certificate": {with(&tls.Config{RootCAs: pool}, "secret"), ""},
		"no TLS":         {with(nil, "secret"), ""},
		"wrong password": {with(&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}, "guess"), "WRONGPASS"},
	} {
		await(t, name+": said why", func() bool {
			problem := c.store.Fleet().Problem
			return problem != "" && !strings.Contains(problem, "not been heard yet") && !strings.Contains(problem, "not connected") &&
				strings.Contains(problem, c.want)
		})
		if c.store.edge.Trusted(time.Now()) {
			t.Errorf("%s: it trusts", name)
		}
	}
}
