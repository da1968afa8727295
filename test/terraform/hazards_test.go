package terraform

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// hazards are how earlier tools hurt people, and which test here shows, through Terraform,
// that it does not happen: by a name, or by the reason why it cannot happen here.
const hazards = `
T1   a failed canary looks done                TestS1_T1_ARollbackIsAnErrorAndTheStateIsWhatIsLive, TestARollbackOfANameIsAnErrorAndTheStateIsWhatIsLive
T2   a change by others is not seen            TestT2_WeightsThatSomebodyElseWroteAreShownByThePlan, TestACourierOfANameMovesTrafficAndShowsWhatOthersWrite
T3   no import, no timeouts                    TestT3_ACourierIsImportedByItsARN, TestT3_ATimeoutInterruptsAShift, TestACourierOfANameIsImportedByZoneNameAndType
T4   destroy deletes a live rule, or nothing   TestT4_T5_ARuleThatCarriesTrafficIsDestroyedByForceOnly, TestDestroyOfACourierOfANameLeavesItsRecords
T5   hosts and paths forbidden together        TestT4_T5_ARuleThatCarriesTrafficIsDestroyedByForceOnly, TestT5_T7_GoodConfigurationsAreValid
T6   files left in the temporary folder        TestT6_C14_NothingIsLeftInTheTemporaryFolderAndAKubeconfigIsWrittenAgain
T7   arn:aws: hard-coded                       TestT5_T7_GoodConfigurationsAreValid
T8   an apply froze, and needed two Ctrl-C     TestT8_S14_AnInterruptRollsBackOrHolds, TestReleasesOfHelmfile
T9   a plan that the apply does not keep       TestReleasesOfHelmfile, TestAPlanPrintsTheStepsThatTheApplyThenTakes
S1   a rollback that goes on forward           TestS1_T1_ARollbackIsAnErrorAndTheStateIsWhatIsLive
S2   a failure at an odd or late step stays    TestS2_AFailureAtTheLastStepButOneGoesAllTheWayBack
S3   a healthy switch flaps                    TestS3_S5_S20_ACourierMovesTrafficAndLosesNothing
S4   declared weights are ignored              TestS4_TheEndIsExactlyAsDeclared
S5   an apply again shocks a settled rule      TestS3_S5_S20_ACourierMovesTrafficAndLosesNothing
S6   one or three destinations                 TestS6_OneAndThreeDestinationsAreServedAsDeclared, TestS16_BadConfigurationsAreRefusedWhereTheyAreBad
S7   another host and other weights at once    TestS7_AnotherHostAndOtherWeightsInOneApplyAreNoCutOver
S8   another order is taken for a change       TestS8_TheOrderOfConditionsIsNoChange
S9   stickiness and sign-in are lost           TestS9_StickinessAndSignInStayAsTheyAre
S10  the first creation is a cut-over          TestS10_ANewRuleBeginsWithWhatServesToday
S11  later pages are not read                  TestS11_S17_ARuleOnALaterPageIsFoundAndNoOther
S12  a rule is known by its priority alone     TestS12_ARuleOfSomebodyElseIsRefusedUnlessItIsToBeAdopted
S13  credentials end in the middle             TestS13_CredentialsEndAndAreRenewedInTheMiddleOfAShift
S14  killed in the middle, left anywhere       TestS14_AnApplyThatIsKilledAnywhereIsFinishedElsewhere, TestT8_S14_AnInterruptRollsBackOrHolds
S15  one throttled call ends it                TestS15_ThrottlingAndLostAnswersDoNotEndAShift
S16  limits are found in the middle            TestS16_BadConfigurationsAreRefusedWhereTheyAreBad, TestBadPlansAreRefusedAndNothingIsWritten
S17  the wrong rule is taken                   TestS11_S17_ARuleOnALaterPageIsFoundAndNoOther
S18  a weight is not verified                  TestS18_AWeightThatIsNotLiveIsNeverReportedAsDone
S19  two who write                             TestS19_WeightsThatSomebodyWritesDuringAShiftAreNotFoughtOver
S20  a weight is left out                      TestS3_S5_S20_ACourierMovesTrafficAndLosesNothing
S21  sticky clients do not follow              TestS21_S22_APlanSaysWhoDoesNotFollowTheWeights
S22  open connections do not follow            TestS21_S22_APlanSaysWhoDoesNotFollowTheWeights
S23  all weights are 0                         TestS16_BadConfigurationsAreRefusedWhereTheyAreBad
C13  a create that failed is tainted           TestC13_ACreateThatIsRolledBackLeavesNoState
C14  a new runner has no kubeconfig            TestT6_C14_NothingIsLeftInTheTemporaryFolderAndAKubeconfigIsWrittenAgain
`

// Every test that the table names is there, every hazard has a row, and who is named after
// a hazard is in its row.
func TestTheTableOfHazardsIsTrue(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(text), -1) {
			there[m[1]] = true
		}
	}
	rows := map[string][]string{}
	for line := range strings.Lines(hazards) {
		id, rest, _ := strings.Cut(line, " ")
		rows[id] = regexp.MustCompile(`Test\w+`).FindAllString(rest, -1)
		for _, test := range rows[id] {
			if !there[test] {
				t.Errorf("%s: there is no test %s", id, test)
			}
		}
	}
	for kind, n := range map[string]int{"T": 9, "S": 23} {
		for i := range n {
			if id := fmt.Sprint(kind, i+1); len(rows[id]) == 0 {
				t.Errorf("%s has no test", id)
			}
		}
	}
	for test := range there {
		for _, id := range regexp.MustCompile(`[TSC]\d+`).FindAllString(strings.TrimPrefix(test, "Test"), -1) {
			if !slices.Contains(rows[id], test) && strings.Contains(test, id+"_") {
				t.Errorf("%s is named after %s, and not in its row", test, id)
			}
		}
	}
}
