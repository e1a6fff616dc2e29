package demo

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite": SQLite in pure Go
)

// attribution is what the business needs to know of a new member: who referred
// them and by which route they came. The zero value means that nothing is known.
type attribution struct {
	Referrer, Source string
}

// errTaken says that a member of that name exists already.
var errTaken = errors.New("the member exists already")

const schema = `
CREATE TABLE leads (
	token    TEXT PRIMARY KEY,
	referrer TEXT NOT NULL,
	source   TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE members (
	name     TEXT PRIMARY KEY,
	referrer TEXT NOT NULL,
	source   TEXT NOT NULL
) WITHOUT ROWID;`

// database is the sample app's SQLite database. Safe for concurrent use.
type database struct {
	// SQLite has one writer at a time. One connection makes the others wait
	// in Go, in order, instead of failing with SQLITE_BUSY.
	writer *sql.DB
	reader *sql.DB
}

// openDatabase makes a new, empty database in dir, which must exist.
func openDatabase(ctx context.Context, dir string) (*database, error) {
	path := filepath.Join(dir, "app.db")
	writer, err := sql.Open("sqlite", dsn(path, "journal_mode(WAL)", "synchronous(NORMAL)"))
	if err != nil {
		return nil, fmt.Errorf("opening database %q: %w", path, err)
	}
	writer.SetMaxOpenConns(1)
	if _, err := writer.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("making the tables of %q: %w", path, err), writer.Close())
	}
	reader, err := sql.Open("sqlite", dsn(path, "query_only(1)"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening database %q: %w", path, err), writer.Close())
	}
	return &database{writer: writer, reader: reader}, nil
}

func dsn(path string, pragmas ...string) string {
	escaped := (&url.URL{Path: path}).EscapedPath()
	query := url.Values{"_pragma": append([]string{"busy_timeout(10000)"}, pragmas...)}
	return "file:" + escaped + "?" + query.Encode()
}

// saveLead stores the attribution of somebody who may be about to register and
// returns the token under which the registration finds it again.
func (d *database) saveLead(ctx context.Context, a attribution) (string, error) {
	var random [12]byte
	rand.Read(random[:]) // never fails
	token := hex.EncodeToString(random[:])
	_, err := d.writer.ExecContext(ctx, "INSERT INTO leads (token, referrer, source) VALUES (?, ?, ?)",
		token, a.Referrer, a.Source)
	if err != nil {
		return "", fmt.Errorf("saving a lead: %w", err)
	}
	return token, nil
}

// lead returns the attribution stored under token; the zero value if there is none.
func (d *database) lead(ctx context.Context, token string) (attribution, error) {
	var a attribution
	err := d.reader.QueryRowContext(ctx, "SELECT referrer, source FROM leads WHERE token = ?", token).
		Scan(&a.Referrer, &a.Source)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return attribution{}, fmt.Errorf("looking for lead %q: %w", token, err)
	}
	return a, nil
}

// addMember stores a new member. It returns errTaken for a name that exists.
func (d *database) addMember(ctx context.Context, name string, a attribution) error {
	result, err := d.writer.ExecContext(ctx,
		"INSERT INTO members (name, referrer, source) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
		name, a.Referrer, a.Source)
	if err != nil {
		return fmt.Errorf("adding member %q: %w", name, err)
	}
	added, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("adding member %q: %w", name, err)
	}
	if added == 0 {
		return errTaken
	}
	return nil
}

// members returns what is recorded of every member, by name.
func (d *database) members(ctx context.Context) (map[string]attribution, error) {
	rows, err := d.reader.QueryContext(ctx, "SELECT name, referrer, source FROM members")
	if err != nil {
		return nil, fmt.Errorf("reading the members: %w", err)
	}
	defer rows.Close()
	recorded := make(map[string]attribution)
	for rows.Next() {
		var name string
		var a attribution
		if err := rows.Scan(&name, &a.Referrer, &a.Source); err != nil {
			return nil, fmt.Errorf("reading the members: %w", err)
		}
		recorded[name] = a
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading the members: %w", err)
	}
	return recorded, nil
}

func (d *database) close() error {
	return errors.Join(d.reader.Close(), d.writer.Close())
}
