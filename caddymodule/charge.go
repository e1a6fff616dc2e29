package caddymodule

import (
	"slices"
	"sync"

	"go.uber.org/zap"
)

// inCharge are the apps that have started and not stopped. What all configurations share
// is set as the last of them has it. There are two only while one takes the place of the
// other; if something else in the new configuration then does not start, the old one
// goes on.
var inCharge struct {
	mu   sync.Mutex
	apps []*App
}

// takeCharge puts the app in charge.
func (a *App) takeCharge() error {
	inCharge.mu.Lock()
	defer inCharge.mu.Unlock()
	inCharge.apps = append(inCharge.apps, a)
	return a.charge()
}

// giveUp has the app before this one in charge again, if this one was and that one has
// not stopped.
func (a *App) giveUp() {
	inCharge.mu.Lock()
	defer inCharge.mu.Unlock()
	i := slices.Index(inCharge.apps, a)
	if i < 0 {
		return
	}
	inCharge.apps = slices.Delete(inCharge.apps, i, i+1)
	if n := len(inCharge.apps); n > 0 && i == n {
		if err := inCharge.apps[n-1].charge(); err != nil {
			a.logger.Error("what the configuration before this one says is not in force again", zap.Error(err))
		}
	}
}

// charge sets where trips are saved, who records what stores drop of their own accord, and
// the bounds of what the handlers share.
func (a *App) charge() error {
	a.breaker.use(a.storage)
	a.handlers.watch()
	return a.handlers.charge()
}
