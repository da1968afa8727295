package manifest

import (
	"fmt"
	"strings"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/shift"
)

func (v *validator) strategy(s v1alpha1.Strategy) {
	const path = "spec.strategy"
	if len(s.Steps) > 0 && (s.StepWeight != 0 || s.StepInterval.Duration != 0) {
		v.bad(path, "", "has both steps and stepWeight or stepInterval: want either the explicit steps or the short form; steps hold with pause: {duration: …}")
	}
	if s.StepWeight < 0 || s.StepWeight > 100 {
		v.bad(path+".stepWeight", fmt.Sprint(s.StepWeight), "want 1–100 (percent of the move)")
	}
	v.optional(path+".stepInterval", s.StepInterval.Duration)
	if s.Bake != nil {
		v.duration(path+".bake", s.Bake.Duration, 0)
	}
	if d := s.Drain; d != nil {
		v.duration(path+".drain.duration", d.Duration.Duration, 0)
		if d.Metric != nil {
			v.metric(path+".drain.metric", *d.Metric)
		}
	}
	v.oneOf(path+".onFailure", s.OnFailure, string(shift.Rollback), string(shift.Hold))
	v.oneOf(path+".onDrift", s.OnDrift, string(shift.Hold), string(shift.Adopt), string(shift.Overrule))
	v.oneOf(path+".onInterrupt", s.OnInterrupt, string(shift.Rollback), string(shift.Hold))
	v.optional(path+".maxDuration", s.MaxDuration.Duration)
	v.optional(path+".rollbackTimeout", s.RollbackTimeout.Duration)
	reached := 0
	for i, step := range s.Steps {
		reached = v.step(at(path+".steps", i), step, reached)
	}
}

// step checks one step and returns the percent of the move after it.
func (v *validator) step(path string, s v1alpha1.Step, reached int) int {
	var given []string
	if s.SetWeight != nil {
		given = append(given, "setWeight")
	}
	if s.StepWeight != nil {
		given = append(given, "stepWeight")
	}
	if s.Pause != nil {
		given = append(given, "pause")
	}
	if s.Analysis != nil {
		given = append(given, "analysis")
	}
	if len(given) != 1 {
		has := "nothing"
		if len(given) > 0 {
			has = strings.Join(given, " and ")
		}
		v.badAmong(path, []string{"setWeight", "stepWeight", "pause", "analysis"}, "has %s, want exactly one of setWeight, stepWeight, pause and analysis: give each a step of its own", has)
		return reached
	}
	switch {
	case s.SetWeight != nil:
		return v.setWeight(path+".setWeight", *s.SetWeight, reached)
	case s.StepWeight != nil:
		return v.addWeight(path+".stepWeight", *s.StepWeight, reached)
	case s.Pause != nil && s.Pause.Duration != nil:
		v.positive(path+".pause.duration", s.Pause.Duration.Duration)
	case s.Analysis != nil:
		v.positive(path+".analysis.duration", s.Analysis.Duration.Duration)
	}
	return reached
}

func (v *validator) setWeight(path string, p, reached int) int {
	switch {
	case p < 1 || p > 100:
		v.bad(path, fmt.Sprint(p), "want 1–100 (percent of the move)")
		return reached
	case p <= reached:
		v.bad(path, fmt.Sprint(p), "is not above the %d%% that the steps before reach: the weights of a shift only rise; to go back, declare the weights that you want as destinations", reached)
		return reached
	}
	return p
}

func (v *validator) addWeight(path string, p, reached int) int {
	switch {
	case p < 1 || p > 100:
		v.bad(path, fmt.Sprint(p), "want 1–100 (percent of the move, added to what the steps before reach)")
		return reached
	case reached+p > 100:
		v.bad(path, fmt.Sprint(p), "goes from %d%% to %d%%: want at most %d here, or remove the step", reached, reached+p, 100-reached)
		return 100
	}
	return reached + p
}
