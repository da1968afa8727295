package cloudwatch

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestM06_PlacesShareNothing(t *testing.T) {
	var made []Place
	p := NewPool(func(_ context.Context, place Place) (API, error) {
		made = append(made, place)
		if place.Profile == "broken" {
			return nil, errors.New("no such profile")
		}
		return echo(), nil
	})
	get := func(place Place) *Source {
		t.Helper()
		s, err := p.Source(t.Context(), place)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	tokyo, home := get(Place{Region: "ap-northeast-1", Profile: "ops"}), get(Place{})
	role := get(Place{RoleARN: "arn:aws:iam::000000000000:role/x"})
	if tokyo == home || role == home || tokyo.api == home.api {
		t.Error("different places share a source")
	}
	if get(Place{}) != home || len(made) != 3 {
		t.Errorf("clients made for %+v", made)
	}
	if made[1] != (Place{}) || made[2].Region != "" || made[2].Profile != "" {
		t.Errorf("something of the first place leaked: %+v", made)
	}
	if _, err := p.Source(t.Context(), Place{Profile: "broken"}); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("got %v", err)
	}
}
