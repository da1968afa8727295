package connection

import "github.com/hashicorp/terraform-plugin-framework/diag"

// While a provider's configuration has values that are known only after an apply, such as
// the role of a resource that is not made yet, AWS could only be asked with credentials
// that lead elsewhere: what is not found there is not gone.
const notKnown = "The provider's configuration has values that are known only after an apply, such as the ARN of a role that is not made yet, so AWS was not asked: " +
	"other credentials may lead to another account. "

// Unread tells Read whether it must leave the state as it is, and people why. known: the
// provider's configuration is.
func Unread(known bool, diags *diag.Diagnostics) bool {
	if !known {
		diags.AddWarning("Not refreshed", notKnown+
			"The state is what was seen last: what changed since then is not in this plan. Apply once more afterwards, or make first what the configuration needs, by -target.")
	}
	return !known
}

// Unasked refuses what cannot be done without asking AWS: an import, a data source.
func Unasked(known bool, diags *diag.Diagnostics) bool {
	if !known {
		diags.AddError("AWS cannot be asked yet", notKnown+"Make first what the configuration needs, by -target, and then do this.")
	}
	return !known
}
