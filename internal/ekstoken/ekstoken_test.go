package ekstoken

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/norikae/norikae/internal/fault"
)

func config() aws.Config {
	return aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("AKIDTEST", "fake", "")}
}

func TestATokenIsKeptUntilItIsAboutToExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSource(config(), "green")
		get := func() string {
			token, err := s.Token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		first := get()
		time.Sleep(life - renewal)
		if get() != first {
			t.Error("it was replaced two minutes before its end")
		}
		time.Sleep(time.Second)
		if get() == first {
			t.Error("it was not replaced with less than two minutes left")
		}
	})
}

func TestNoTokenIsMade(t *testing.T) {
	if _, err := Make(t.Context(), config(), ""); !fault.IsTerminal(err) {
		t.Errorf("without a name: %v", err)
	}
	nowhere := config()
	nowhere.Region = ""
	if _, err := Make(t.Context(), nowhere, "green"); !fault.IsTerminal(err) {
		t.Errorf("without a region: %v", err)
	}
	lost, gone := config(), errors.New("signed out")
	lost.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, gone })
	if _, err := NewSource(lost, "green").Token(t.Context()); !errors.Is(err, gone) {
		t.Errorf("without credentials: %v", err)
	}
}
