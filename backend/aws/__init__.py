"""The same handlers on API Gateway, Lambda and DynamoDB."""
