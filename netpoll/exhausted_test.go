package netpoll

const exhaustedEnv = "NETPOLL_TEST_EXHAUSTED"

func serveExhausted() {}
