package rules

import "github.com/invopop/jsonschema"

// The methods below say which fields of a struct go together.

type schemas = map[string]*jsonschema.Schema

// dependOn says what else must hold where a field is given.
func dependOn(s *jsonschema.Schema, on schemas) {
	s.Extras = map[string]any{"dependencies": on}
}

// refuse are fields that must not be there: editors say so at the field.
func refuse(names ...string) *jsonschema.Schema {
	s := &jsonschema.Schema{Properties: jsonschema.NewProperties()}
	for _, name := range names {
		s.Properties.Set(name, jsonschema.FalseSchema)
	}
	return s
}

func need(names ...string) *jsonschema.Schema { return &jsonschema.Schema{Required: names} }

// with is a schema for one field.
func with(name string, field *jsonschema.Schema) *jsonschema.Schema {
	s := &jsonschema.Schema{Properties: jsonschema.NewProperties()}
	s.Properties.Set(name, field)
	return s
}

// A file with servers is no included one: defaults of others do not hold in it.
func (fileFormat) JSONSchemaExtend(s *jsonschema.Schema) {
	started := with("defaults", need("start"))
	started.Required = []string{"defaults"}
	s.If = need("servers")
	s.If.Not = started
	s.Then = with("rules", &jsonschema.Schema{Items: need("start")})
	s.Then.AnyOf = []*jsonschema.Schema{need("rules"), need("include")}
}

func (sourceFormat) JSONSchemaExtend(s *jsonschema.Schema) {
	open := with("insecure", &jsonschema.Schema{Const: true})
	open.Required = []string{"insecure"}
	shows := func(this, other string) *jsonschema.Schema {
		s := refuse(other)
		s.AnyOf = []*jsonschema.Schema{need(this), need("allow"), open}
		return s
	}
	s.If = with("host", &jsonschema.Schema{Const: BitbucketPost})
	s.Then, s.Else = shows("token", "secret"), shows("secret", "token")
}

func (apiFormat) JSONSchemaExtend(s *jsonschema.Schema) {
	password := refuse("client_id", "client_secret")
	password.Required = []string{"user"}
	dependOn(s, schemas{
		"token": refuse("user", "password", "client_id", "client_secret"),
		"user":  need("password"), "password": password,
		"client_id": need("client_secret"), "client_secret": need("client_id"),
	})
}

func (serverFormat) JSONSchemaExtend(s *jsonschema.Schema) {
	s.AnyOf = []*jsonschema.Schema{need("jenkins"), need("bamboo")}
	jenkins, password := refuse("bamboo"), refuse("token")
	dependOn(jenkins, schemas{"token": need("user")})
	password.Required = []string{"user"}
	dependOn(s, schemas{
		"jenkins": jenkins, "password": password,
		"user": {AnyOf: []*jsonschema.Schema{need("token"), need("password")}},
	})
}

func (ruleFormat) JSONSchemaExtend(s *jsonschema.Schema) {
	dependOn(s, schemas{"each": refuse("paths")})
}

// Of which kind a server is only the file says; what is for one kind does not
// go with the target of the other.
func (startFormat) JSONSchemaExtend(s *jsonschema.Schema) {
	s.AnyOf = []*jsonschema.Schema{need("job"), need("plan")}
	only := map[string][]string{}
	for _, name := range fieldsOf[startFormat]() {
		only[fieldOf(name)] = append(only[fieldOf(name)], name)
	}
	dependOn(s, schemas{"job": refuse(only[Bamboo]...), "plan": refuse(only[Jenkins]...)})
}

func (reportFormat) JSONSchemaExtend(s *jsonschema.Schema) {
	s.Type, s.Extras = "", map[string]any{"type": []string{"boolean", "object"}}
}
