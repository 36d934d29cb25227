// Checks Heedline's notes, proofs and vectors with golang.org/x/mod/sumdb, and makes notes and proofs for Heedline to check.
//
// One JSON request a line on standard input, one JSON answer a line on standard output.
package main

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type request struct {
	Do      string
	Note    string
	Key     string
	Name    string
	Size    int64
	Root    []byte
	Index   int64
	Old     int64
	OldRoot []byte
	Path    [][]byte
	Leaves  [][]byte
	Leaf    *leaf
	Salt    string
	Payload string
}

type answer struct {
	Error string   `json:"error,omitempty"`
	Text  string   `json:"text,omitempty"`
	Note  string   `json:"note,omitempty"`
	Key   string   `json:"key,omitempty"`
	Root  []byte   `json:"root,omitempty"`
	Path  [][]byte `json:"path,omitempty"`
	Data  string   `json:"data,omitempty"`
	Hash  []byte   `json:"hash,omitempty"`
}

// The members of a leaf in the order of their names, as RFC 8785 wants them.
type leaf struct {
	At         string `json:"at"`
	Commitment string `json:"commitment"`
	Entry      int64  `json:"entry"`
	Kind       string `json:"kind"`
	Subject    *int64 `json:"subject"`
	V          int    `json:"v"`
}

func main() {
	lines := bufio.NewReaderSize(os.Stdin, 1<<24)
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var asked request
		var told answer
		if err := json.Unmarshal(line, &asked); err != nil {
			told.Error = err.Error()
		} else if told, err = do(asked); err != nil {
			told = answer{Error: err.Error()}
		}
		if err := out.Encode(told); err != nil {
			os.Exit(1)
		}
	}
}

func do(r request) (answer, error) {
	switch r.Do {
	case "open":
		return open(r)
	case "sign":
		return sign(r)
	case "check record":
		var p tlog.RecordProof
		hashes, err := hashesOf(append([][]byte{r.Root}, r.Path...))
		if err != nil {
			return answer{}, err
		}
		p = hashes[1:]
		return answer{}, tlog.CheckRecord(p, r.Size, hashes[0], r.Index, tlog.RecordHash(r.Leaves[0]))
	case "check tree":
		hashes, err := hashesOf(append([][]byte{r.Root, r.OldRoot}, r.Path...))
		if err != nil {
			return answer{}, err
		}
		return answer{}, tlog.CheckTree(hashes[2:], r.Size, hashes[0], r.Old, hashes[1])
	case "prove record", "prove tree":
		return prove(r)
	case "leaf":
		return leafOf(r)
	}
	return answer{}, fmt.Errorf("%q is not known", r.Do)
}

func open(r request) (answer, error) {
	verifier, err := note.NewVerifier(r.Key)
	if err != nil {
		verifier, err = newCosigner(r.Key)
	}
	if err != nil {
		return answer{}, err
	}
	opened, err := note.Open([]byte(r.Note), note.VerifierList(verifier))
	if err != nil {
		return answer{}, err
	}
	return answer{Text: opened.Text}, nil
}

func sign(r request) (answer, error) {
	private, public, err := note.GenerateKey(rand.Reader, r.Name)
	if err != nil {
		return answer{}, err
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		return answer{}, err
	}
	signed, err := note.Sign(&note.Note{Text: r.Note}, signer)
	return answer{Note: string(signed), Key: public}, err
}

// A verifier of C2SP tlog-cosignature, which x/mod does not know.
type cosigner struct {
	name   string
	hash   uint32
	public ed25519.PublicKey
}

func newCosigner(key string) (note.Verifier, error) {
	parts := strings.SplitN(key, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("no key")
	}
	public, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(public) != 33 || public[0] != 4 {
		return nil, errors.New("no key of a cosigner")
	}
	hash := sha256.Sum256(append([]byte(parts[0]+"\n"), public...))
	return cosigner{parts[0], binary.BigEndian.Uint32(hash[:4]), public[1:]}, nil
}

func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return c.hash }
func (c cosigner) Verify(text, signature []byte) bool {
	if len(signature) != 72 {
		return false
	}
	seconds := strconv.FormatUint(binary.BigEndian.Uint64(signature), 10)
	signed := append([]byte("cosignature/v1\ntime "+seconds+"\n"), text...)
	return ed25519.Verify(c.public, signed, signature[8:])
}

func prove(r request) (answer, error) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			hashes[i] = stored[index]
		}
		return hashes, nil
	})
	for i, data := range r.Leaves {
		more, err := tlog.StoredHashes(int64(i), data, reader)
		if err != nil {
			return answer{}, err
		}
		stored = append(stored, more...)
	}
	size := int64(len(r.Leaves))
	root, err := tlog.TreeHash(size, reader)
	if err != nil {
		return answer{}, err
	}
	told := answer{Root: root[:]}
	var path []tlog.Hash
	if r.Do == "prove record" {
		path, err = tlog.ProveRecord(size, r.Index, reader)
	} else {
		path, err = tlog.ProveTree(size, r.Old, reader)
	}
	for i := range path {
		told.Path = append(told.Path, path[i][:])
	}
	return told, err
}

func leafOf(r request) (answer, error) {
	salt, err := hex.DecodeString(r.Salt)
	if err != nil {
		return answer{}, err
	}
	commitment := sha256.Sum256(append(salt, r.Payload...))
	if r.Leaf.Commitment != hex.EncodeToString(commitment[:]) {
		return answer{}, errors.New("the commitment is another")
	}
	var data bytes.Buffer
	writer := json.NewEncoder(&data)
	writer.SetEscapeHTML(false)
	if err := writer.Encode(r.Leaf); err != nil {
		return answer{}, err
	}
	text := strings.TrimSuffix(data.String(), "\n")
	hash := tlog.RecordHash([]byte(text))
	return answer{Data: text, Hash: hash[:]}, nil
}

func hashesOf(given [][]byte) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(given))
	for i, hash := range given {
		if copy(hashes[i][:], hash) != tlog.HashSize || len(hash) != tlog.HashSize {
			return nil, errors.New("no hash")
		}
	}
	return hashes, nil
}
