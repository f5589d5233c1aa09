package broker

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/segmentio/kafka-go"

	"github.com/relais-fr/relais/schemas"
)

// allowed are the rights of a participant, and all of them: it writes its way in,
// reads its way out, and has the consumer groups that bear its name.
func (b *Broker) allowed(id string) []kafka.ACLEntry {
	entry := func(kind kafka.ResourceType, name string, pattern kafka.PatternType, ops ...kafka.ACLOperationType) (all []kafka.ACLEntry) {
		for _, op := range ops {
			all = append(all, kafka.ACLEntry{
				ResourceType: kind, ResourceName: name, ResourcePatternType: pattern,
				Principal: principalOf(id), Host: "*", Operation: op, PermissionType: kafka.ACLPermissionTypeAllow,
			})
		}
		return all
	}
	const read, write = kafka.ACLOperationTypeRead, kafka.ACLOperationTypeWrite
	const describe, remove = kafka.ACLOperationTypeDescribe, kafka.ACLOperationTypeDelete
	all := entry(kafka.ResourceTypeTopic, b.Topic("from."+id), kafka.PatternTypeLiteral, write, describe)
	all = append(all, entry(kafka.ResourceTypeTopic, b.Topic("to."+id), kafka.PatternTypeLiteral, read, describe)...)
	all = append(all, entry(kafka.ResourceTypeGroup, id, kafka.PatternTypeLiteral, read, describe, remove)...)
	return append(all, entry(kafka.ResourceTypeGroup, id+".", kafka.PatternTypePrefixed, read, describe, remove)...)
}

// denied takes everything from a participant. A denial outweighs whatever is
// allowed, and holds for connections that are open.
func denied(id string) (all []kafka.ACLEntry) {
	for _, r := range []struct {
		kind kafka.ResourceType
		name string
	}{
		{kafka.ResourceTypeTopic, "*"},
		{kafka.ResourceTypeGroup, "*"},
		{kafka.ResourceTypeTransactionalID, "*"},
		{kafka.ResourceTypeCluster, "kafka-cluster"},
	} {
		all = append(all, kafka.ACLEntry{
			ResourceType: r.kind, ResourceName: r.name, ResourcePatternType: kafka.PatternTypeLiteral,
			Principal: principalOf(id), Host: "*", Operation: kafka.ACLOperationTypeAll, PermissionType: kafka.ACLPermissionTypeDeny,
		})
	}
	return all
}

func principalOf(id string) string { return "User:" + id }

// AllowParticipant gives a participant its rights, and takes a denial away. The
// cluster's brokers know of it within a second.
func (b *Broker) AllowParticipant(ctx context.Context, id string) error {
	err := b.mayBeParticipant(id)
	if err == nil {
		err = b.createACLs(ctx, b.allowed(id))
	}
	if err == nil {
		err = b.deleteACLs(ctx, id, kafka.ACLPermissionTypeDeny)
	}
	return about("allow", id, err)
}

// DenyParticipant takes all rights from a participant until AllowParticipant, also
// from its connections that are open: those are what outlives a password.
func (b *Broker) DenyParticipant(ctx context.Context, id string) error {
	err := b.mayBeParticipant(id)
	if err == nil {
		err = b.createACLs(ctx, denied(id))
	}
	return about("deny", id, err)
}

// ForgetParticipant removes whatever is said of a participant's rights: it has none
// then. Deny it first where it may still be connected, and delete its password.
func (b *Broker) ForgetParticipant(ctx context.Context, id string) error {
	err := b.mayBeParticipant(id)
	if err == nil {
		// What is allowed goes first, so that no moment leaves it without the denial.
		err = b.deleteACLs(ctx, id, kafka.ACLPermissionTypeAllow)
	}
	if err == nil {
		err = b.deleteACLs(ctx, id, kafka.ACLPermissionTypeDeny)
	}
	return about("forget", id, err)
}

func about(what, id string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s participant %s at Kafka: %w%s", what, id, err, advice(err))
}

// ErrNoParticipant says that an id cannot be a participant's at Kafka.
var ErrNoParticipant = errors.New("broker: no id for a participant")

// mayBeParticipant refuses ids that are somebody else's name at Kafka, or whose
// groups would be another's.
func (b *Broker) mayBeParticipant(id string) error {
	switch {
	case !schemas.ValidID(id):
		return fmt.Errorf("%w: %q is not 1 to 128 of letters, digits, `_` and `-`", ErrNoParticipant, id)
	case strings.Contains(id, "."):
		// The groups `a.b` are participant a's.
		return fmt.Errorf("%w: %q has a dot, which parts a participant's id from the names of its consumer groups", ErrNoParticipant, id)
	case strings.HasPrefix(b.cfg.Prefix+".", id+"."):
		// The hub's own groups are `<prefix>.ledger` and so on.
		return fmt.Errorf("%w: %q is the installation's prefix, and its groups are the hub's", ErrNoParticipant, id)
	case strings.HasPrefix(b.cfg.Prefix+".", id+"."):
		// The services' groups begin with the prefix, and would be the participant's.
		return fmt.Errorf("%w: %q begins the names of the hub's own consumer groups", ErrNoParticipant, id)
	case id == schemas.HubParticipant, id == schemas.OfficesParticipant, id == b.cfg.Login.User,
		strings.EqualFold(id, "anonymous"), strings.EqualFold(id, "admin"):
		return fmt.Errorf("%w: %q is reserved", ErrNoParticipant, id)
	}
	return nil
}

func (b *Broker) createACLs(ctx context.Context, acls []kafka.ACLEntry) error {
	return b.retry(ctx, "create_acls", func(ctx context.Context) error {
		res, err := b.client.CreateACLs(ctx, &kafka.CreateACLsRequest{ACLs: acls})
		if err != nil {
			return err
		}
		if len(res.Errors) != len(acls) {
			return fmt.Errorf("the broker answered for %d of %d rights", len(res.Errors), len(acls))
		}
		for _, err := range res.Errors {
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// deleteACLs removes what is said of a participant, allowed or denied.
func (b *Broker) deleteACLs(ctx context.Context, id string, permission kafka.ACLPermissionType) error {
	return b.retry(ctx, "delete_acls", func(ctx context.Context) error {
		res, err := b.client.DeleteACLs(ctx, &kafka.DeleteACLsRequest{Filters: []kafka.DeleteACLsFilter{{
			ResourceTypeFilter: kafka.ResourceTypeAny, ResourcePatternTypeFilter: kafka.PatternTypeAny,
			PrincipalFilter: principalOf(id), Operation: kafka.ACLOperationTypeAny, PermissionType: permission,
		}}})
		if err != nil {
			return err
		}
		for _, r := range res.Results {
			if r.Error != nil {
				return r.Error
			}
			for _, m := range r.MatchingACLs {
				if m.Error != nil {
					return m.Error
				}
			}
		}
		return nil
	})
}

// Right is one thing that Kafka lets a participant do, or keeps it from doing.
type Right struct {
	Resource string // such as `topic relais.to.cnaf` or `group cnaf.*`
	Verb     string // such as `Read`
	Denied   bool
}

// Rights is what is said of a participant's rights, in no order.
func (b *Broker) Rights(ctx context.Context, id string) (rights []Right, err error) {
	err = b.retry(ctx, "describe_acls", func(ctx context.Context) error {
		res, err := b.client.DescribeACLs(ctx, &kafka.DescribeACLsRequest{Filter: kafka.ACLFilter{
			ResourceTypeFilter: kafka.ResourceTypeAny, ResourcePatternTypeFilter: kafka.PatternTypeAny,
			PrincipalFilter: principalOf(id), Operation: kafka.ACLOperationTypeAny, PermissionType: kafka.ACLPermissionTypeAny,
		}})
		if err != nil {
			return err
		}
		if res.Error != nil {
			return res.Error
		}
		rights = rights[:0]
		for _, r := range res.Resources {
			name := strings.ToLower(r.ResourceType.String()) + " " + r.ResourceName
			if r.PatternType == kafka.PatternTypePrefixed {
				name += "*"
			}
			for _, a := range r.ACLs {
				rights = append(rights, Right{Resource: name, Verb: a.Operation.String(), Denied: a.PermissionType == kafka.ACLPermissionTypeDeny})
			}
		}
		return nil
	})
	return rights, about("look up", id, err)
}
