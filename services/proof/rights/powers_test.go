package rights_test

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// isNo says whether a code is that of an ACL: that one may not, or that there is no
// such topic, which is what the embedded broker says in its place.
func isNo(code int16) bool {
	no := []*kerr.Error{
		kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed,
		kerr.TransactionalIDAuthorizationFailed, kerr.UnknownTopicOrPartition,
	}
	return slices.ContainsFunc(no, func(e *kerr.Error) bool { return e.Code == code })
}

var powers = map[string][]power{
	"topic": {
		{"produce", produce},
		{"fetch", fetch},
		{"describe", describe},
		{"offsets", offsets},
		{"create", create},
		{"add partitions", addPartitions},
		{"alter", alter},
		{"read settings", readSettings},
		{"delete records", deleteRecords},
		{"delete", deleteTopic},
	},
	"group": {
		{"join", join}, {"commit", commit}, {"committed", committed}, {"describe group", describeGroup}, {"delete group", deleteGroup},
	},
	"transaction": {{"begin", func(ctx context.Context, c *caller, id string) (int16, error) { return producerID(ctx, c, &id) }}},
	"cluster": {
		{"become a producer", func(ctx context.Context, c *caller, _ string) (int16, error) { return producerID(ctx, c, nil) }},
		{"read rights", readRights},
		{"give rights", giveRights},
		{"take rights", takeRights},
		{"set passwords", setPasswords},
		{"read passwords", readPasswords},
		{"alter brokers", alterBrokers},
		{"alter quotas", alterQuotas},
		{"write markers", writeMarkers},
	},
}

// batch is one record, as it is stored.
func batch() []byte {
	record := kmsg.Record{Length: 7, Value: []byte("x")}
	b := kmsg.RecordBatch{Magic: 2, LastOffsetDelta: 0, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: 1, Records: record.AppendTo(nil)}
	bytes := b.AppendTo(nil)
	binary.BigEndian.PutUint32(bytes[8:], uint32(len(bytes)-12))
	binary.BigEndian.PutUint32(bytes[17:], crc32.Checksum(bytes[21:], crc32.MakeTable(crc32.Castagnoli)))
	return bytes
}

func produce(ctx context.Context, c *caller, topic string) (int16, error) {
	q := kmsg.NewPtrProduceRequest()
	q.Acks, q.TimeoutMillis = -1, 5000
	of := kmsg.NewProduceRequestTopic()
	of.Topic = topic
	p := kmsg.NewProduceRequestTopicPartition()
	p.Records = batch()
	of.Partitions = append(of.Partitions, p)
	q.Topics = append(q.Topics, of)
	a, err := ask[*kmsg.ProduceResponse](ctx, c, q)
	if err != nil {
		return 0, err
	}
	return a.Topics[0].Partitions[0].ErrorCode, nil
}

func fetch(ctx context.Context, c *caller, topic string) (int16, error) {
	q := kmsg.NewPtrFetchRequest()
	q.MaxWaitMillis, q.MinBytes, q.MaxBytes, q.SessionEpoch = 1, 0, 1<<20, -1
	of := kmsg.NewFetchRequestTopic()
	of.Topic = topic
	p := kmsg.NewFetchRequestTopicPartition()
	p.PartitionMaxBytes = 1 << 20
	of.Partitions = append(of.Partitions, p)
	q.Topics = append(q.Topics, of)
	a, err := ask[*kmsg.FetchResponse](ctx, c, q)
	if err != nil || a.ErrorCode != 0 {
		return 0, err
	}
	return a.Topics[0].Partitions[0].ErrorCode, nil
}

func describe(ctx context.Context, c *caller, topic string) (int16, error) {
	q := kmsg.NewPtrMetadataRequest()
	of := kmsg.NewMetadataRequestTopic()
	of.Topic = &topic
	q.Topics = append(q.Topics, of)
	a, err := ask[*kmsg.MetadataResponse](ctx, c, q)
	if err != nil {
		return 0, err
	}
	return a.Topics[0].ErrorCode, nil
}

func offsets(ctx context.Context, c *caller, topic string) (int16, error) {
	q := kmsg.NewPtrListOffsetsRequest()
	of := kmsg.NewListOffsetsRequestTopic()
	of.Topic = topic
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Timestamp = -1
	of.Partitions = append(of.Partitions, p)
	q.Topics = append(q.Topics, of)
	a, err := ask[*kmsg.ListOffsetsResponse](ctx, c, q)
	if err != nil {
		return 0, err
	}
	return a.Topics[0].Partitions[0].ErrorCode, nil
}

func create(ctx context.Context, c *caller, topic string) (int16, error) {
	q := kmsg.NewPtrCreateTopicsRequest()
	of := kmsg.NewCreateTopicsRequestTopic()
	of.Topic, of.NumPartitions, of.ReplicationFactor = topic+"-more", 1, 1
	q.Topics, q.TimeoutMillis = append(q.Topics, of), 5000
	a, err := ask[*kmsg.CreateTopicsResponse](ctx, c, q)
	if err != nil {
		return 0, err
	}
	return a.Topics[0].ErrorCode, nil
}

func addPartitions(ctx context.Context, c *caller, topic string) (int16, error) {
	q := kmsg.NewPtrCreatePartitionsRequest()
	of := kmsg.NewCreatePartitionsRequestTopic()
	of.Topic, of.Count = topic, 2
	q.Topics, q.TimeoutMillis = append(q.Topics, of), 5000
	a, err := ask[*kmsg.CreatePartitionsResponse](ctx, c, q)
	if err != nil {
		return 0, err
	}
	return a.Topics[0].ErrorCode, nil
}

func alter(ctx context.Context, c *caller, topic string) (int16, error) {
	return setConfig(ctx, c, kmsg.ConfigResourceTypeTopic, topic, "retention.ms", "1")
}

func alterBrokers(ctx context.Context, c *caller, _ string) (int16, error) {
	return setConfig(ctx, c, kmsg.ConfigResourceTypeBroker, "", "message.max.bytes", "1000000")
}

func setConfig(ctx context.Context, c *caller, kind kmsg.ConfigResourceType, name, setting, value string) (int16, error) {
	q := kmsg.NewPtrIncrementalAlterConfigsRequest()
	of := kmsg.NewIncrementalAlterConfigsRequestResource()
	of.ResourceType, of.ResourceName = kind, name
	one := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	one.Name, one.Value = setting, &value
	of.Configs = append(of.Configs, one)
	q.Resources = append(q.Resources, of)
	a, err := ask[*kmsg.IncrementalAlterConfigsResponse](ctx, c, q)
	if err != nil {
		return 0, err
	}
	return a.Resources[0].ErrorCode, nil
}

func readSettings(ctx context.Context, c *caller, topic string) (int16, error) {
	q := kmsg.NewPtrDescribeConfigsRequest()
	of := kmsg.NewDescribeConfigsRequestResource()
	of.ResourceType, of.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	q.Resources = append(q.Resources, of)
	a, err := ask[*kmsg.DescribeConfigsResponse](ctx, c, q)
	if err != nil {
		return 0, err
	}
	return a.Resources[0].ErrorCode, nil
}

func deleteRecords(ctx context.Context, c *caller, topic string) (int16, error) {
	q := kmsg.NewPtrDeleteRecordsRequest()
	of := kmsg.NewDeleteRecordsRequestTopic()
	of.Topic = topic
	of.Partitions = append(of.Partitions, kmsg.NewDeleteRecordsRequestTopicPartition())
	q.Topics, q.TimeoutMillis = append(q.Topics, of), 5000
	a, err := ask[*kmsg.DeleteRecordsResponse](ctx, c, q)
	if err != nil {
		return 0, err
	}
	return a.Topics[0].Partitions[0].ErrorCode, nil
}

func deleteTopic(ctx context.Context, c *caller, topic string) (int16, error) {
	q := kmsg.NewPtrDeleteTopicsRequest()
	of := kmsg.NewDeleteTopicsRequestTopic()
	of.Topic = &topic
	q.TopicNames, q.Topics, q.TimeoutMillis = []string{topic}, append(q.Topics, of), 5000
	a, err := ask[*kmsg.DeleteTopicsResponse](ctx, c, q)
	if err != nil {
		return 0, err
	}
	return a.Topics[0].ErrorCode, nil
}

func join(ctx context.Context, c *caller, group string) (int16, error) {
	q := kmsg.NewPtrJoinGroupRequest()
	q.Group, q.SessionTimeoutMillis, q.RebalanceTimeoutMillis, q.ProtocolType = group, 10_000, 10_000, "consumer"
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name = "range"
	q.Protocols = append(q.Protocols, p)
	a, err := ask[*kmsg.JoinGroupResponse](ctx, c, q) // it is asked to come again with a member's id
	if err != nil {
		return 0, err
	}
	return a.ErrorCode, nil
}

func commit(ctx context.Context, c *caller, group string) (int16, error) {
	q := kmsg.NewPtrOffsetCommitRequest()
	q.Group, q.Generation = group, -1
	of := kmsg.NewOffsetCommitRequestTopic()
	of.Topic = c.e.full("topic", "to.cnaf")
	if group == "cpam" || group == "cpam.x" {
		of.Topic = c.e.full("topic", "to.cpam")
	}
	of.Partitions = append(of.Partitions, kmsg.NewOffsetCommitRequestTopicPartition())
	q.Topics = append(q.Topics, of)
	a, err := ask[*kmsg.OffsetCommitResponse](ctx, c, q)
	if err != nil {
		return 0, err
	}
	return a.Topics[0].Partitions[0].ErrorCode, nil
}

func committed(ctx context.Context, c *caller, group string) (int16, error) {
	q := kmsg.NewPtrOffsetFetchRequest()
	one := kmsg.NewOffsetFetchRequestGroup()
	one.Group = group
	q.Groups = append(q.Groups, one)
	a, err := ask[*kmsg.OffsetFetchResponse](ctx, c, q)
	if err != nil {
		return 0, err
	}
	if len(a.Groups) > 0 {
		return a.Groups[0].ErrorCode, nil
	}
	return a.ErrorCode, nil
}

func describeGroup(ctx context.Context, c *caller, group string) (int16, error) {
	q := kmsg.NewPtrDescribeGroupsRequest()
	q.Groups = []string{group}
	a, err := ask[*kmsg.DescribeGroupsResponse](ctx, c, q)
	if err != nil {
		return 0, err
	}
	return a.Groups[0].ErrorCode, nil
}

func deleteGroup(ctx context.Context, c *caller, group string) (int16, error) {
	q := kmsg.NewPtrDeleteGroupsRequest()
	q.Groups = []string{group}
	a, err := ask[*kmsg.DeleteGroupsResponse](ctx, c, q)
	if err != nil {
		return 0, err
	}
	return a.Groups[0].ErrorCode, nil
}

func producerID(ctx context.Context, c *caller, transaction *string) (int16, error) {
	q := kmsg.NewPtrInitProducerIDRequest()
	q.TransactionalID, q.TransactionTimeoutMillis = transaction, 10_000
	a, err := ask[*kmsg.InitProducerIDResponse](ctx, c, q)
	if err != nil {
		return 0, err
	}
	return a.ErrorCode, nil
}

func readRights(ctx context.Context, c *caller, _ string) (int16, error) {
	q := kmsg.NewPtrDescribeACLsRequest()
	q.ResourceType, q.ResourcePatternType, q.Operation, q.PermissionType = kmsg.ACLResourceTypeAny, kmsg.ACLResourcePatternTypeAny, kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
	a, err := ask[*kmsg.DescribeACLsResponse](ctx, c, q)
	if err != nil {
		return 0, err
	}
	return a.ErrorCode, nil
}

func giveRights(ctx context.Context, c *caller, _ string) (int16, error) {
	q := kmsg.NewPtrCreateACLsRequest()
	one := kmsg.NewCreateACLsRequestCreation()
	one.ResourceType, one.ResourceName, one.ResourcePatternType = kmsg.ACLResourceTypeTopic, "*", kmsg.ACLResourcePatternTypeLiteral
	one.Principal, one.Host, one.Operation, one.PermissionType = "User:cnaf", "*", kmsg.ACLOperationRead, kmsg.ACLPermissionTypeAllow
	q.Creations = append(q.Creations, one)
	a, err := ask[*kmsg.CreateACLsResponse](ctx, c, q)
	if err != nil {
		return 0, err
	}
	return a.Results[0].ErrorCode, nil
}

func takeRights(ctx context.Context, c *caller, _ string) (int16, error) {
	q := kmsg.NewPtrDeleteACLsRequest()
	one := kmsg.NewDeleteACLsRequestFilter()
	one.ResourceType, one.ResourcePatternType, one.Operation, one.PermissionType = kmsg.ACLResourceTypeAny, kmsg.ACLResourcePatternTypeAny, kmsg.ACLOperationAny, kmsg.ACLPermissionTypeDeny
	q.Filters = append(q.Filters, one)
	a, err := ask[*kmsg.DeleteACLsResponse](ctx, c, q)
	if err != nil {
		return 0, err
	}
	return a.Results[0].ErrorCode, nil
}

func setPasswords(ctx context.Context, c *caller, _ string) (int16, error) {
	q := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
	one := kmsg.NewAlterUserSCRAMCredentialsRequestUpsertion()
	one.Name, one.Mechanism, one.Iterations, one.Salt, one.SaltedPassword = "mallory", 2, 4096, []byte("salt-salt-salt"), make([]byte, 64)
	q.Upsertions = append(q.Upsertions, one)
	a, err := ask[*kmsg.AlterUserSCRAMCredentialsResponse](ctx, c, q)
	if err != nil {
		return 0, err
	}
	return a.Results[0].ErrorCode, nil
}

func readPasswords(ctx context.Context, c *caller, _ string) (int16, error) {
	q := kmsg.NewPtrDescribeUserSCRAMCredentialsRequest()
	// Without a name Apache Kafka 4.3 fails in place of refusing, and never answers.
	one := kmsg.NewDescribeUserSCRAMCredentialsRequestUser()
	one.Name = "cpam"
	q.Users = append(q.Users, one)
	a, err := ask[*kmsg.DescribeUserSCRAMCredentialsResponse](ctx, c, q)
	if err != nil {
		return 0, err
	}
	return a.ErrorCode, nil
}

func alterQuotas(ctx context.Context, c *caller, _ string) (int16, error) {
	q := kmsg.NewPtrAlterClientQuotasRequest()
	entry := kmsg.NewAlterClientQuotasRequestEntry()
	entity := kmsg.NewAlterClientQuotasRequestEntryEntity()
	user := "cnaf"
	entity.Type, entity.Name = "user", &user
	op := kmsg.NewAlterClientQuotasRequestEntryOp()
	op.Key, op.Value = "producer_byte_rate", 1e9
	entry.Entity, entry.Ops = append(entry.Entity, entity), append(entry.Ops, op)
	q.Entries = append(q.Entries, entry)
	a, err := ask[*kmsg.AlterClientQuotasResponse](ctx, c, q)
	if err != nil {
		return 0, err
	}
	return a.Entries[0].ErrorCode, nil
}

func writeMarkers(ctx context.Context, c *caller, _ string) (int16, error) {
	q := kmsg.NewPtrWriteTxnMarkersRequest()
	m := kmsg.NewWriteTxnMarkersRequestMarker()
	of := kmsg.NewWriteTxnMarkersRequestMarkerTopic()
	of.Topic, of.Partitions = c.e.full("topic", "recorded"), []int32{0}
	m.Topics = append(m.Topics, of)
	q.Markers = append(q.Markers, m)
	a, err := ask[*kmsg.WriteTxnMarkersResponse](ctx, c, q)
	if err != nil {
		return 0, err
	}
	return a.Markers[0].Topics[0].Partitions[0].ErrorCode, nil
}
