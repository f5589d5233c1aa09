package schemas_test

import (
	"errors"
	"fmt"

	"github.com/relais-fr/relais/schemas"
)

// A message for an audience that is not in the table: the answer says which
// there are.
func ExampleValidate() {
	payload, err := schemas.ParseJSON(schemas.TypeMessagePosted, []byte(`{"audience":"everybody","sealed":"c2VhbGVk"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	if refusal, ok := errors.AsType[*schemas.Refusal](schemas.Validate(payload)); ok {
		code := refusal.Reason.Code()
		fmt.Println(refusal.Detail)
		fmt.Println(code.French, code.RemedyFR)
	}
	// Output:
	// data.audience: "everybody" is not a code of the table audience: all, operators_only
	// L'événement est mal formé. Corrigez le champ indiqué, puis déposez l'événement avec un nouvel identifiant.
}

func ExampleParseJSON() {
	payload, err := schemas.ParseJSON(schemas.TypeReferralReceived, []byte(`{"own_reference":"CAF56-2026-118204"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(*payload.(*schemas.ReferralReceived).OwnReference)

	_, err = schemas.ParseJSON(schemas.TypeReferralReceived, []byte(`{"own_reference":118204}`))
	fmt.Println(err)
	// Output:
	// CAF56-2026-118204
	// malformed: data.own_reference: here is a number; a string was expected
}

func ExampleLookup() {
	entry, _ := schemas.Lookup("fr.relais.referral.v1.ReferralRefused")
	fmt.Println(entry.NameFR, "/", entry.NameEN)
	fmt.Println(entry.Senders, "->", entry.Recipients)
	reason, _ := schemas.LookupCode(schemas.TableRefusalReason, "not_competent")
	fmt.Println(reason.French)
	// Output:
	// Refusée / Refused
	// [recipient] -> [sender recipient]
	// Je ne suis pas le bon interlocuteur.
}
