package record

// Subprotocol is what a rich client offers in Sec-WebSocket-Protocol.
const Subprotocol = "roulette.v1"

// separator, the character U+001E, begins every record and so every control
// message. JSON has no place for it but in escaped form, so inside of a message
// it can be nothing but the beginning of a record.
const separator = 0x1E

// What one control message may bring.
const (
	maxRecord    = 4 << 10 // bytes, separator and LF included
	maxRecords   = 16      // in one message
	maxFields    = 32      // in one object
	maxDepth     = 4       // objects and arrays in each other, the record included
	maxInterests = 10
	maxInterest  = 32 // runes
	maxTable     = 64 // runes
	maxLanguages = 5
	maxWords     = 32       // in can
	maxToken     = 128      // bytes
	maxReport    = 64 << 10 // bytes, of a report
	maxSealed    = 256      // bytes
	maxText      = 1000     // runes
	maxMessages  = 32
	maxNames     = 64        // in blocked
	maxNumber    = 1<<53 - 1 // what every reader of JSON can hold
)

// IsControl reports whether the text message with this payload is a control
// message, which is never relayed. payload must be the whole message, or its
// beginning if that is not empty: an empty fragment says nothing. Binary
// messages are always chat; the opcode is the caller's to check.
func IsControl(payload []byte) bool {
	return len(payload) > 0 && payload[0] == separator
}

// Error is why a record was refused, as [AppendError] tells the client. Errors
// with the same code are the same to errors.Is.
type Error struct {
	Code    string
	Message string // for people
}

func (e *Error) Error() string { return "record: " + e.Message + " (" + e.Code + ")" }

// Is reports whether target is an Error with the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// One for each code. [Parse] may give a bad record another message; tell it with
// errors.Is.
var (
	ErrBadRecord        = &Error{"bad_record", "malformed record"}
	ErrTooManyInterests = &Error{"too_many_interests", "more than 10 interests"}
	ErrTooLate          = &Error{"too_late", "not possible any more"}
	ErrRateLimited      = &Error{"rate_limited", "too many messages"}
	ErrNoSuchChat       = &Error{"no_such_chat", "the chat is over, or the token is not of this place"}
	ErrUntrue           = &Error{"report_untrue", "these messages were not relayed so"}
	ErrReportLate       = &Error{"report_late", "the last of these messages was relayed more than 10 minutes ago"}
	ErrReportTwice      = &Error{"report_twice", "this chat was reported already"}
	ErrManyReports      = &Error{"too_many_reports", "more than 5 reports in an hour"}
	ErrReportLost       = &Error{"report_lost", "the report could not be taken; try again later"}
	ErrCannotBlock      = &Error{"cannot_block", "nobody whom this client could block"}
	ErrProofWrong       = &Error{"proof_wrong", "that is not what was asked for"}
	ErrProofBusy        = &Error{"proof_busy", "too much to look at; try again"}
)

// Bad records that [Parse] cannot tell, as it knows nothing of what came before.
var (
	ErrUnknownType = errUnknownType
	ErrLateHello   = &Error{ErrBadRecord.Code, "hello is not the first record"}
	ErrOutOfTurn   = &Error{ErrBadRecord.Code, "resend at the wrong moment, or from the wrong message"}
)

// Bad records that a client's author will want to know more about.
var (
	errUTF8            = &Error{ErrBadRecord.Code, "not UTF-8"}
	errTooBig          = &Error{ErrBadRecord.Code, "record of more than 4096 bytes, or report of more than 65536"}
	errTooManyRecords  = &Error{ErrBadRecord.Code, "more than 16 records in one message"}
	errType            = &Error{ErrBadRecord.Code, "type is missing or not a string"}
	errUnknownType     = &Error{ErrBadRecord.Code, "unknown type"}
	errPair            = &Error{ErrBadRecord.Code, "pair is not an integer from 1 to 4294967295"}
	errOn              = &Error{ErrBadRecord.Code, "on is missing or neither true nor false"}
	errInterests       = &Error{ErrBadRecord.Code, "interests is not an array of strings"}
	errInterestEmpty   = &Error{ErrBadRecord.Code, "empty interest"}
	errInterestLong    = &Error{ErrBadRecord.Code, "interest of more than 32 characters"}
	errInterestControl = &Error{ErrBadRecord.Code, "control character in an interest"}
	errTable           = &Error{ErrBadRecord.Code, "table is not a string"}
	errTableEmpty      = &Error{ErrBadRecord.Code, "table of invisible characters"}
	errTableLong       = &Error{ErrBadRecord.Code, "table of more than 64 characters"}
	errTableControl    = &Error{ErrBadRecord.Code, "control character in a table"}
	errLanguages       = &Error{ErrBadRecord.Code, "languages is not an array of strings"}
	errLanguage        = &Error{ErrBadRecord.Code, "a language is not 2 to 8 letters"}
	errManyLanguages   = &Error{ErrBadRecord.Code, "more than 5 languages"}
	errCan             = &Error{ErrBadRecord.Code, "can is missing or not an array of at most 32 strings"}
	errN               = &Error{ErrBadRecord.Code, "n is missing or not an integer from 0 to 9007199254740991"}
	errToken           = &Error{ErrBadRecord.Code, "token is missing or not a string of 1 to 128 characters"}
	errHave            = &Error{ErrBadRecord.Code, "have is missing or not an integer from 0 to 9007199254740991"}
	errTry             = &Error{ErrBadRecord.Code, "try is missing or not an integer from 1 to 4294967295"}
	errGeneration      = &Error{ErrBadRecord.Code, "gen is not an integer from 1 to 9007199254740991"}
	errFrom            = &Error{ErrBadRecord.Code, "from is missing or not an integer from 1 to 9007199254740991"}
	errLost            = &Error{ErrBadRecord.Code, "lost is not an integer from 0 to from less one"}
	errSealed          = &Error{ErrBadRecord.Code, "opening, first or last is missing or not a string of 1 to 256 characters"}
	errReason          = &Error{ErrBadRecord.Code, "reason is missing or none of those"}
	errText            = &Error{ErrBadRecord.Code, "text is not a string of at most 1000 characters"}
	errMessages        = &Error{ErrBadRecord.Code, "messages is not an array of 1 to 32 objects with either text or binary"}
	errNames           = &Error{ErrBadRecord.Code, "blocked is not an array of at most 64 strings"}
	errAnswers         = &Error{ErrBadRecord.Code, "answers is not an array of 8 integers from 0 to 4294967295"}
	errAgainPair       = &Error{ErrBadRecord.Code, "pair is missing"}
)

// The types of the server's records, see [Event].
const (
	TypeHello       = "hello" // also a client's
	TypeWaiting     = "waiting"
	TypePaired      = "paired"
	TypeLeft        = "left"
	TypeTyping      = "typing" // also a client's
	TypeOnline      = "online"
	TypeUndelivered = "undelivered"
	TypeError       = "error"
	TypePong        = "pong"
	TypeAway        = "away"
	TypeBack        = "back"
	TypeAgain       = "again" // also a client's
	TypeNotice      = "notice"
	TypeResumed     = "resumed"
	TypeSync        = "sync"
	TypeHave        = "have"   // also a client's
	TypeResend      = "resend" // also a client's
	TypeStamp       = "stamp"
	TypeReported    = "reported"
	TypeBlocked     = "blocked"
	TypeWarned      = "warned"
	TypeProof       = "proof" // also a client's
)

// NoticeCode is what an operator has to say. A client must expect others.
type NoticeCode string

// What is going to happen, and when.
const (
	NoticeRestart     NoticeCode = "restart"
	NoticeMaintenance NoticeCode = "maintenance"
	NoticeNone        NoticeCode = "none" // the last notice does not hold any more
)

// WarnedReported is why somebody is warned: people have reported them. A client must
// expect others.
const WarnedReported = "reported"

// Reason is why a partner left, or is away.
type Reason string

// A client must expect others.
const (
	LeftNext         Reason = "next"         // it went on to somebody else
	LeftStop         Reason = "stop"         // it wants nobody for now
	LeftDisconnected Reason = "disconnected" // its connection ended
	LeftStalled      Reason = "stalled"      // it read nothing any more
	LeftKicked       Reason = "kicked"       // the server threw it out
	LeftClosed       Reason = "closed"       // it closed its connection; for who has said hello

	AwayHidden Reason = "hidden" // its page is in the background
	AwayLost   Reason = "lost"   // its connection was lost, and its place is kept
)
