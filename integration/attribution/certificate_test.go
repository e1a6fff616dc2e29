package attribution

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cacheward/cacheward/integration/edge"
)

// withCertificate has the site speak https, with a certificate that nobody need trust.
func withCertificate(t testing.TB, c edge.SiteConfig) edge.SiteConfig {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(100 * 24 * time.Hour),
		DNSNames: []string{"*.header.example", "*.query.example", "*.form-cookie.example"},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c.Certificate = writePEM(t, filepath.Join(dir, "certificate.pem"), "CERTIFICATE", certificate)
	c.Key = writePEM(t, filepath.Join(dir, "key.pem"), "PRIVATE KEY", private)
	return c
}

func writePEM(t testing.TB, file, kind string, content []byte) string {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
