package core_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfaccess/cfaccess/core"
)

// The origin's clock and the edge's are not the same. In a bubble there is one,
// the origin's; tokens are signed with what the edge's would show.
func TestLifeOfATokenByTwoClocks(t *testing.T) {
	for name, test := range map[string]struct {
		skew     time.Duration // by which the edge's clock is ahead
		early    time.Duration // for so long a fresh token is not yet valid
		outlives time.Duration // what a token is good for past its end by the edge's clock
	}{
		"in step":                   {0, 0, lifeLeeway},
		"the origin is 25 s behind": {25 * time.Second, 0, lifeLeeway + 25*time.Second},
		"the origin is 25 s ahead":  {-25 * time.Second, 0, lifeLeeway - 25*time.Second},
		"the origin is 30 s behind": {30 * time.Second, 0, lifeLeeway + 30*time.Second},
		"the origin is 30 s ahead":  {-30 * time.Second, 0, 0},
		"the origin is 40 s behind": {40 * time.Second, 10 * time.Second, lifeLeeway + 40*time.Second},
		"the origin is 40 s ahead":  {-40 * time.Second, 0, -10 * time.Second},
	} {
		for kind, isService := range map[string]bool{"a person": false, "a service": true} {
			t.Run(name+", "+kind, func(t *testing.T) {
				lifeKeys()
				synctest.Test(t, func(t *testing.T) {
					l := newLife(t)
					l.skew = test.skew
					// One's token is remembered when it runs out, the other's
					// is seen only then.
					regular := &lifeCaller{name: "ada@example.com", isService: isService, session: lifeDay}
					seldom := &lifeCaller{name: "bob@example.com", isService: isService, session: lifeDay}
					late := &lifeCaller{name: "carol@example.com", isService: isService, session: lifeDay}
					for _, c := range []*lifeCaller{regular, seldom, late} {
						l.signIn(c)
					}
					if err := l.Refresh(t.Context()); err != nil {
						t.Fatal(err)
					}
					signed := time.Now().Add(-lifeDelay)

					if test.early > 0 {
						l.want(t, regular.token, core.ErrNotYetValid, 0)
						time.Sleep(time.Until(signed.Add(test.early)) - 1)
						l.want(t, regular.token, core.ErrNotYetValid, 0)
						time.Sleep(time.Nanosecond)
					}
					l.want(t, regular.token, nil, 0)

					over := signed.Add(lifeDay + test.outlives)
					time.Sleep(time.Until(over) - time.Minute)
					if err := l.Refresh(t.Context()); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Until(over) - 1)
					if a := l.want(t, regular.token, nil, 0); !a.remembered {
						t.Error("the token was not remembered")
					}
					l.want(t, seldom.token, nil, 0)
					time.Sleep(time.Nanosecond)
					if a := l.want(t, regular.token, core.ErrExpired, 0); !a.remembered {
						t.Error("the token was not remembered")
					}
					l.want(t, seldom.token, core.ErrExpired, 0)
					l.want(t, late.token, core.ErrExpired, 0)
					if a := l.want(t, regular.token, core.ErrExpired, 0); a.remembered {
						t.Error("the token is still remembered, and won't be good again")
					}
				})
			})
		}
	}
}
