# By ZONE_ID/NAME, or by ZONE_ID/NAME/TYPE for the records of one type.
terraform import eksctl_courier_route53_record.api Z0123456789ABCDEFGHIJ/api.example.com/A
