package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/segmentio/kafka-go"
)

// noted is the range balancer of a member that tells the whole group something of
// itself. The coordinator keeps the note for as long as the member lives.
type noted struct {
	kafka.RangeGroupBalancer
	note string
}

func (n noted) UserData() ([]byte, error) { return []byte(n.note), nil }

// Member is one living member of a consumer group.
type Member struct {
	ID, Host string
	// Note is what the member said of itself; empty for one that said nothing.
	Note string
}

// ErrRebalancing says that a group's members are changing: ask again.
var ErrRebalancing = errors.New("broker: the group's members are changing")

// Members are the members of a consumer group, as its coordinator knows them: one
// that died is among them until its session is over. It is ErrRebalancing while the
// members are changing; a group that nobody is in has none.
func (b *Broker) Members(ctx context.Context, group string) (members []Member, err error) {
	changing := false
	err = b.retry(ctx, "describe_groups", func(ctx context.Context) error {
		res, err := b.client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
		switch {
		case err != nil:
			return err
		case len(res.Groups) != 1:
			return fmt.Errorf("the coordinator answered for %d groups", len(res.Groups))
		case errors.Is(res.Groups[0].Error, kafka.GroupIdNotFound):
			members = nil
			return nil
		case res.Groups[0].Error != nil:
			return res.Groups[0].Error
		}
		switch res.Groups[0].GroupState {
		case "Stable":
		case "Empty", "Dead":
			members = nil
			return nil
		default:
			changing = true
			return nil
		}
		members, changing = members[:0], false
		for _, m := range res.Groups[0].Members {
			members = append(members, Member{ID: m.MemberID, Host: m.ClientHost, Note: string(m.MemberMetadata.UserData)})
		}
		slices.SortFunc(members, func(a, b Member) int { return strings.Compare(a.ID, b.ID) })
		return nil
	})
	if err == nil && changing {
		err = ErrRebalancing
	}
	if err != nil {
		return nil, fmt.Errorf("members of group %s: %w", group, err)
	}
	return members, nil
}
