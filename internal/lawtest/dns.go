package lawtest

func newDNSReader(d Declared) reader { return nil }
